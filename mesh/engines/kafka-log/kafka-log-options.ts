import type { ChappeError } from "../../errors/chappe-error.ts";

/** What an operator should know of a Kafka log. */
export type KafkaReport = (what: string, fields: Readonly<Record<string, unknown>>) => void;

/** Libraries to choose from. */
export const kafkaClientNames = ["kafkajs", "platformatic"] as const;

/** One of kafkaClientNames. */
export type KafkaClientName = (typeof kafkaClientNames)[number];

/** Who we are for the brokers. */
export interface KafkaSasl {
  readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
  readonly username: string;
  readonly password: string;
}

/** How to reach Kafka, and what the log is there. */
export interface KafkaLogOptions {
  /** "host:port" of some brokers. */
  readonly brokers: readonly string[];
  /** Of each topic, fixed for the life of the data. */
  readonly partitions: number;
  /** @default no authentication */
  readonly sasl?: KafkaSasl;
  /** TLS with brokers whose certificates one of these signed, PEM. @default clear text */
  readonly ca?: string;
  /** The library that speaks to the brokers. @default "kafkajs" */
  readonly client?: KafkaClientName;
  /** Topics are "<prefix>.messages" and so on, groups "<prefix>.<topic>.<group>". @default "chappe" */
  readonly prefix?: string;
  /** Of new topics. @default limits.kafkaRetentionMs */
  readonly retentionMs?: number;
  /** Of new topics. @default 3, or 1 where there are fewer brokers */
  readonly replicas?: number;
  /** How long an append is tried. @default limits.kafkaAppendTimeoutMs */
  readonly appendTimeoutMs?: number;
  /** A reader has stopped for good: the process should end and start again, or an operator look. */
  readonly onFailed?: (error: ChappeError) => void;
  readonly report?: KafkaReport;
}
