import { ChappeError } from "../../errors/chappe-error.ts";

/** Names and codes by which the clients say that a broker does not know us. */
const refusals: ReadonlySet<unknown> = new Set(["KafkaJSSASLAuthenticationError", "PLT_KFK_AUTHENTICATION"]);

/** Whether an error, or what is behind it, is a broker's refusal of our credentials. */
function isRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, code, errors = [] } = error as Error & { code?: unknown; errors?: readonly unknown[] };
  return refusals.has(name) || refusals.has(code) || [error.cause, ...errors].some(isRefused);
}

/** UNAVAILABLE that says which brokers did not answer, or INVALID_ARGUMENT when they do not know us; and what to do. */
export function kafkaUnavailable(brokers: readonly string[], cause: unknown): ChappeError {
  const { message } = cause as Error;
  const where = brokers.join(", ");
  if (isRefused(cause)) {
    const violations = [{ field: "kafkaSaslFile", rule: "credentials", message: "are refused" }];
    const text = `Kafka at ${where} refuses the credentials of kafkaSaslFile (${message}): correct the file`;
    return new ChappeError("INVALID_ARGUMENT", text, { violations, cause });
  }
  const text = `Kafka cannot be reached at ${where} (${message}): start it, or correct kafkaBrokers`;
  return new ChappeError("UNAVAILABLE", text, { cause });
}
