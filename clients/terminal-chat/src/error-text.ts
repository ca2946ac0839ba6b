import { ChappeClientError } from "@chappe/sdk/src/index.ts";

/** An error as one sentence for people; names the field when the input was bad. */
export function errorText(cause: unknown, url = "the server"): string {
  const error = ChappeClientError.from(cause);
  const { violations, retryAfterMs } = error;
  if (violations.length > 0) return violations.map(({ field, message }) => `${field}: ${message}`).join("; ");
  switch (error.name) {
    case "UNAVAILABLE":
      return `${url} cannot be reached: is the server running?`;
    case "DEADLINE_EXCEEDED":
      return `${url} took too long to answer`;
    case "WRONG_CREDENTIALS":
      return "the name or the password is wrong";
    case "RATE_LIMITED":
      return `too many attempts: try again in ${Math.ceil(retryAfterMs / 1_000)} s`;
    default:
      return error.message;
  }
}
