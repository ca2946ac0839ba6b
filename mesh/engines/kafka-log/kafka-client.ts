import kafkajs, { type Kafka } from "kafkajs";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { KafkaReport } from "./kafka-log-options.ts";

/** A client that writes nothing to the console: warnings and errors go to `report`. */
export function createKafkaClient(brokers: readonly string[], report: KafkaReport): Kafka {
  return new kafkajs.Kafka({
    clientId: "chappe",
    brokers: [...brokers],
    connectionTimeout: limits.kafkaConnectTimeoutMs,
    requestTimeout: limits.kafkaRequestTimeoutMs,
    retry: {
      retries: limits.maxKafkaRetries,
      initialRetryTime: limits.kafkaRetryMs,
      maxRetryTime: limits.kafkaRetryMaxMs,
    },
    logLevel: kafkajs.logLevel.WARN,
    logCreator:
      () =>
      ({ namespace, log: { message } }) =>
        report("client", { namespace, message }),
  });
}

/** UNAVAILABLE that says which brokers did not answer, and what to do. */
export function kafkaUnavailable(brokers: readonly string[], cause: unknown): ChappeError {
  const { message } = cause as Error;
  const text = `Kafka cannot be reached at ${brokers.join(", ")} (${message}): start it, or correct kafkaBrokers`;
  return new ChappeError("UNAVAILABLE", text, { cause });
}
