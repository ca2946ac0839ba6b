import { ChappeClientError } from "@chappe/sdk/src/index.ts";

const texts: Readonly<Record<string, string>> = {
  WRONG_CREDENTIALS: "The name or the password is wrong.",
  ALREADY_EXISTS: "This name is taken.",
  UNAVAILABLE: "The server cannot be reached.",
  DEADLINE_EXCEEDED: "The server took too long to answer.",
  NOT_A_MEMBER: "You are not a member of this conversation.",
  PERMISSION_DENIED: "You may not do this.",
  OVERLOADED: "The server is busy. Try again in a moment.",
  SESSION_REVOKED: "You were signed out.",
  TOKEN_EXPIRED: "Your session has ended. Please sign in again.",
  TOKEN_INVALID: "Your session has ended. Please sign in again.",
};

/** The rules of the contract in words, by field. */
const fieldTexts: Readonly<Record<string, string>> = {
  name: "2 to 32 characters: small letters, digits, and . _ - inside.",
  password: "8 to 256 characters.",
  title: "1 to 100 characters.",
};

/** The field that an error without violations is about. */
const fieldOf: Readonly<Record<string, string>> = { WRONG_CREDENTIALS: "password", ALREADY_EXISTS: "name" };

/** An error as a sentence for people; names the field when the input was bad. */
export function errorText(cause: unknown): string {
  const error = ChappeClientError.from(cause);
  const { violations, retryAfterMs } = error;
  if (violations.length > 0) return violations.map(({ field, message }) => `${field}: ${message}`).join("; ");
  if (error.name === "RATE_LIMITED") return `Too many attempts. Try again in ${Math.ceil(retryAfterMs / 1_000)} s.`;
  return texts[error.name] ?? error.message;
}

/** What is wrong with which field, in words; empty when the error is about no field. */
export function fieldErrors(cause: unknown): ReadonlyMap<string, string> {
  const error = ChappeClientError.from(cause);
  const field = fieldOf[error.name];
  if (field !== undefined) return new Map([[field, errorText(error)]]);
  return new Map(error.violations.map((one) => [one.field, fieldTexts[one.field] ?? one.message]));
}
