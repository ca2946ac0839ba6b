import { ChappeClientError } from "@chappe/sdk/src/index.ts";

const texts: Readonly<Record<string, string>> = {
  WRONG_CREDENTIALS: "The name or the password is wrong.",
  ALREADY_EXISTS: "This name is taken.",
  UNAVAILABLE: "The server cannot be reached.",
  DEADLINE_EXCEEDED: "The server took too long to answer.",
  NOT_A_MEMBER: "You are not a member of this conversation.",
  PERMISSION_DENIED: "You may not do this.",
  SESSION_REVOKED: "You were signed out.",
  TOKEN_EXPIRED: "Your session has ended. Please sign in again.",
  TOKEN_INVALID: "Your session has ended. Please sign in again.",
};

/** An error as a sentence for people; names the field when the input was bad. */
export function errorText(cause: unknown): string {
  const error = ChappeClientError.from(cause);
  const { violations, retryAfterMs } = error;
  if (violations.length > 0) return violations.map(({ field, message }) => `${field}: ${message}`).join("; ");
  if (error.name === "RATE_LIMITED") return `Too many attempts. Try again in ${Math.ceil(retryAfterMs / 1_000)} s.`;
  return texts[error.name] ?? error.message;
}
