import { ChappeError } from "../../errors/chappe-error.ts";

/** UNAVAILABLE that says which brokers did not answer, and what to do. */
export function kafkaUnavailable(brokers: readonly string[], cause: unknown): ChappeError {
  const { message } = cause as Error;
  const text = `Kafka cannot be reached at ${brokers.join(", ")} (${message}): start it, or correct kafkaBrokers`;
  return new ChappeError("UNAVAILABLE", text, { cause });
}
