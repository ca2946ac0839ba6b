import { fetchJars } from "./fetch-jars.ts";
import { freePort, wantFreePorts } from "./free-port.ts";
import { createKafkaBroker, type KafkaBroker } from "./kafka-broker.ts";
import type { KafkaPorts } from "./kafka-properties.ts";
import { openRunDirectory } from "./run-directory.ts";

const startTimeoutMs = 60_000;
const defaultHeapMb = 384;

/** How to start Kafka. */
export interface KafkaOptions {
  /** Three form a controller quorum, with three copies of everything, two of which must be in sync. @default 1 */
  readonly brokers?: 1 | 3;
  /** Kept at the end; a second start with it finds the data. @default a temporary one */
  readonly dataDir?: string;
  /** Client and controller port of broker i are firstPort + 2i and + 2i + 1. @default free ones */
  readonly firstPort?: number;
  /** Further lines of server.properties, such as retention: { "log.retention.ms": "1000" }. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Heap of each broker. @default 384 */
  readonly heapMb?: number;
  /** @default 60,000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A Kafka cluster of ours. */
export interface KafkaCluster {
  /** "127.0.0.1:port" of each broker. */
  readonly addresses: readonly string[];
  readonly brokers: readonly KafkaBroker[];
  /** Ends the brokers; removes the data when its directory is a temporary one. */
  close(): Promise<void>;
}

async function choosePorts(count: number, firstPort: number | undefined): Promise<KafkaPorts[]> {
  const ports: KafkaPorts[] = [];
  while (ports.length < count) {
    const client = firstPort === undefined ? await freePort([1]) : firstPort + 2 * ports.length;
    if (!ports.some((taken) => Math.abs(taken.client - client) < 2)) ports.push({ client, controller: client + 1 });
  }
  if (firstPort !== undefined) await wantFreePorts(ports.flatMap(({ client, controller }) => [client, controller]));
  return ports;
}

/** Starts Kafka and waits until every broker answers and knows the others. UNAVAILABLE with the end of its log if not. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const { brokers: count = 1, settings = {}, heapMb = defaultHeapMb } = options;
  const { timeoutMs = startTimeoutMs, signal } = options;
  const jars = await fetchJars("kafka");
  const ports = await choosePorts(count, options.firstPort);
  const directory = openRunDirectory("kafka", options.dataDir);
  const shared = { jars, directory, ports, settings, heapMb, timeoutMs };
  const creations = await Promise.allSettled(ports.map((_, i) => createKafkaBroker(shared, i + 1)));
  const started = creations.flatMap((creation) => (creation.status === "fulfilled" ? [creation.value] : []));
  const brokers = started.map(({ broker }) => broker);
  const close = async (): Promise<void> => {
    const how = directory.temporary === undefined ? "SIGTERM" : "SIGKILL";
    await Promise.all(brokers.map((broker) => broker.kill(how)));
    directory.remove();
  };
  try {
    for (const creation of creations) if (creation.status === "rejected") throw creation.reason;
    await Promise.all(started.map(({ ready }) => ready(count, signal)));
    return { addresses: brokers.map(({ address }) => address), brokers, close };
  } catch (error) {
    await close();
    throw error;
  }
}
