import { ChappeError } from "../errors/chappe-error.ts";

/** INVALID_ARGUMENT for one field, for rules that a contract cannot state. */
export function invalidArgument(field: string, rule: string, message: string): ChappeError {
  return new ChappeError("INVALID_ARGUMENT", `${field}: ${message}`, { violations: [{ field, rule, message }] });
}
