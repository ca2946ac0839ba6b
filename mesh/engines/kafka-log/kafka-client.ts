import { createRequire } from "node:module";
import { Kafka, logLevel, type SASLOptions } from "kafkajs";
import { ChappeError } from "../../errors/chappe-error.ts";
import type { Logger } from "../../lifecycle/logger.ts";
import { limits } from "../../limits.ts";

/** Where Kafka is and who we are there. */
export interface KafkaAccess {
  /** "host:port" of some brokers. */
  readonly brokers: readonly string[];
  /** SASL name and password; absent where Kafka asks for none. */
  readonly credentials?: SASLOptions;
  /** TLS to the brokers. @default false */
  readonly tls?: boolean;
  /** Gets what the client says; bodies are never in it. */
  readonly logger: Logger;
}

interface RequestQueueClass {
  readonly prototype: { pending: readonly unknown[]; scheduleCheckPendingRequests(): void; looksOnlyWhenWaiting?: true };
}

/**
 * The client sets a timer for waiting requests after every answer, with a negative time when nothing waits, which Node
 * warns of and calls at once. Without a waiting request there is nothing to look at.
 */
function stopIdleTimers(): void {
  const path = "kafkajs/src/network/requestQueue/index.js";
  const { prototype } = createRequire(import.meta.url)(path) as RequestQueueClass;
  if (prototype.looksOnlyWhenWaiting) return;
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueueClass["prototype"]): void {
    if (this.pending.length > 0) schedule.call(this);
  };
  prototype.looksOnlyWhenWaiting = true;
}

/** A client; it connects when something is asked of it. */
export function openKafka({ brokers, credentials, tls = false, logger }: KafkaAccess): Kafka {
  stopIdleTimers();
  return new Kafka({
    clientId: "chappe",
    brokers: [...brokers],
    ssl: tls,
    ...(credentials === undefined ? {} : { sasl: credentials }),
    connectionTimeout: limits.kafkaConnectTimeoutMs,
    requestTimeout: limits.kafkaRequestTimeoutMs,
    retry: {
      initialRetryTime: limits.kafkaRetryMs,
      maxRetryTime: limits.kafkaRetryMaxMs,
      retries: limits.kafkaRetries,
      // A consumer that cannot reach Kafka for a while goes on trying.
      restartOnFailure: () => Promise.resolve(true),
    },
    logLevel: logLevel.WARN,
    // What it calls errors are mostly attempts that it repeats; what counts is reported by its callers.
    logCreator: () => (entry) => {
      const { message, error, groupId, broker } = entry.log;
      const text = typeof error === "string" ? error : undefined;
      logger.warn("kafka.client", { part: entry.namespace, message, error: text, groupId, broker });
    },
  });
}

/** The chain of causes of an error, itself first. */
function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let at: unknown = error; at instanceof Error && !chain.includes(at); at = at.cause) chain.push(at);
  return chain;
}

/** The Kafka error code's name, such as NOT_ENOUGH_REPLICAS; undefined when the error is not Kafka's. */
export function kafkaErrorType(error: unknown): string | undefined {
  for (const cause of causes(error)) {
    const { type } = cause as { type?: unknown };
    if (typeof type === "string") return type;
  }
  return undefined;
}

/** What an operator is told when Kafka does not do what was asked: which setting to look at. */
export function kafkaRefusal({ brokers, credentials }: KafkaAccess, error: unknown): ChappeError {
  if (error instanceof ChappeError) return error;
  const chain = causes(error);
  const at = brokers.join(", ");
  const text = chain.map(({ message }) => message).find((message) => message.length > 0) ?? "no reason given";
  if (chain.some(({ name }) => name === "KafkaJSSASLAuthenticationError")) {
    const message = `Kafka at ${at} refused the credentials: check name, password and mechanism (${text})`;
    const violations = [{ field: "credentials", rule: "sasl", message }];
    return new ChappeError("INVALID_ARGUMENT", message, { cause: error, violations });
  }
  const hint = credentials === undefined ? ", and whether it wants TLS or credentials" : " and whether it wants TLS";
  const message = `Kafka at ${at} does not answer: check the addresses, that the brokers run${hint} (${text})`;
  return new ChappeError("UNAVAILABLE", message, { cause: error });
}
