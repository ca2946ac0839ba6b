import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Admin, Kafka, logLevel } from "kafkajs";
import { ChappeError } from "../errors/chappe-error.ts";
import { createEngineServer, type EngineServer } from "./engine-server.ts";
import { type KafkaPorts, kafkaProperties } from "./kafka-properties.ts";
import type { RunDirectory } from "./run-directory.ts";
import { runToEnd } from "./run-to-end.ts";

const requestTimeoutMs = 3_000;
const formatHeapMb = 128;
/** 16 bytes in base64; every cluster is a world of its own on its own ports, so one id serves all. */
const clusterId = "Q2hhcHBlRW5naW5lczAwMQ";

/** One broker process of ours. */
export interface KafkaBroker extends EngineServer {
  /** "127.0.0.1:port" */
  readonly address: string;
}

/** What all brokers of a cluster share. */
export interface KafkaShared {
  /** Folder of the jars. */
  readonly jars: string;
  readonly directory: RunDirectory;
  readonly ports: readonly KafkaPorts[];
  readonly settings: Readonly<Record<string, string>>;
  readonly heapMb: number;
  readonly timeoutMs: number;
}

const javaArgs = (jars: string, heapMb: number): string[] => [
  `-Xmx${heapMb}m`,
  "-XX:+UseSerialGC",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
  "-Dorg.slf4j.simpleLogger.showDateTime=true",
  "-cp",
  join(jars, "*"),
];

async function askBroker(address: string, ask: (admin: Admin) => Promise<void>): Promise<void> {
  const kafka = new Kafka({
    brokers: [address],
    clientId: "chappe-health",
    logLevel: logLevel.NOTHING,
    connectionTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    await ask(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Resolves when the broker says that it is in the cluster, and with it as many as wanted. */
async function wantBrokers(admin: Admin, nodeId: number, atLeast: number): Promise<void> {
  const { brokers } = await admin.describeCluster();
  const ids = brokers.map((broker) => broker.nodeId);
  if (!ids.includes(nodeId) || ids.length < atLeast)
    throw new ChappeError("UNAVAILABLE", `the cluster has brokers ${ids.join()}`);
}

async function writeFiles(shared: KafkaShared, nodeId: number): Promise<string> {
  const { directory, ports, settings, jars, timeoutMs } = shared;
  const logDirectory = join(directory.path, `broker-${nodeId}`);
  const file = join(directory.path, `server-${nodeId}.properties`);
  mkdirSync(logDirectory, { recursive: true });
  writeFileSync(file, kafkaProperties({ nodeId, ports, logDirectory, settings }));
  if (!existsSync(join(logDirectory, "meta.properties"))) {
    const format = ["kafka.tools.StorageTool", "format", "--cluster-id", clusterId, "--config", file];
    const args = ["-XX:TieredStopAtLevel=1", ...javaArgs(jars, formatHeapMb), ...format];
    await runToEnd("java", args, { cwd: directory.path, timeoutMs });
  }
  return file;
}

/** A broker that is formatted and starting. */
export interface StartedBroker {
  readonly broker: KafkaBroker;
  /** Settles when it and so many in all are in the cluster, and a consumer group finds its coordinator. */
  ready(atLeast: number, signal?: AbortSignal): Promise<void>;
}

/** Formats a broker's directory if it is new, and starts it. */
export async function createKafkaBroker(shared: KafkaShared, nodeId: number): Promise<StartedBroker> {
  const { jars, directory, ports, heapMb, timeoutMs } = shared;
  const address = `127.0.0.1:${ports[nodeId - 1]!.client}`;
  const propertiesFile = await writeFiles(shared, nodeId);
  const server = createEngineServer({
    what: `Kafka broker ${nodeId}`,
    process: {
      program: "java",
      args: [...javaArgs(jars, heapMb), "kafka.Kafka", propertiesFile],
      cwd: directory.path,
      logFile: join(directory.path, `broker-${nodeId}.log`),
      ...(directory.temporary === undefined ? {} : { temporaryDirectory: directory.temporary }),
    },
    check: () => askBroker(address, async (admin) => wantBrokers(admin, nodeId, 1)),
    timeoutMs,
  });
  const isReady = (atLeast: number): Promise<void> =>
    askBroker(address, async (admin) => {
      await wantBrokers(admin, nodeId, atLeast);
      await admin.fetchOffsets({ groupId: "chappe-health" });
    });
  return {
    broker: Object.assign(server, { address }),
    ready: (atLeast, signal) => server.ready(() => isReady(atLeast), signal),
  };
}
