import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { KafkaBroker } from "@chappe/mesh/dev-engines/kafka-broker.ts";
import type { KafkaCluster } from "@chappe/mesh/dev-engines/start-kafka.ts";
import kafkajs, { type PartitionMetadata } from "kafkajs";
import { type Act, type ActNotes, everyoneAcked } from "./act.ts";
import type { LoadView } from "./run-under-load.ts";

const topic = "chappe.messages";
const pollMs = 250;
/** Long enough for sends to gather, shorter than any session. */
const sleepMs = 2_000;
/** For acks that were on their way. */
const graceMs = 500;
const refusalTimeoutMs = 30_000;
const brokerEndTimeoutMs = 30_000;
const inSyncTimeoutMs = 60_000;
const blockBytes = [1 << 20, 1 << 12, 1] as const;

async function partitionsOf({ addresses }: Pick<KafkaCluster, "addresses">): Promise<readonly PartitionMetadata[]> {
  const kafka = new kafkajs.Kafka({ brokers: [...addresses], logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]!.partitions;
  } finally {
    await admin.disconnect();
  }
}

/** The broker that leads most partitions. */
async function leaderOf({ addresses, brokers }: KafkaCluster): Promise<KafkaBroker> {
  const led = brokers.map(() => 0);
  for (const { leader } of await partitionsOf({ addresses })) led[leader - 1]!++;
  return brokers[led.indexOf(Math.max(...led))]!;
}

async function untilAllInSync({ addresses, brokers }: KafkaCluster): Promise<void> {
  const deadlineMs = performance.now() + inSyncTimeoutMs;
  for (;;) {
    const partitions = await partitionsOf({ addresses }).catch(() => []);
    if (partitions.length > 0 && partitions.every(({ isr }) => isr.length === brokers.length)) return;
    if (performance.now() > deadlineMs) throw new Error("the brokers were not in sync in time");
    await sleep(pollMs);
  }
}

/** Waits until sends are refused, and notes how many got an ack meanwhile though nothing can have stored them. */
async function untilRefused(on: LoadView, notes: ActNotes): Promise<void> {
  await sleep(graceMs);
  const before = on.answers();
  const deadlineMs = performance.now() + refusalTimeoutMs;
  while (on.answers().failed === before.failed) {
    if (performance.now() > deadlineMs) throw new Error("no send was refused in time");
    await sleep(pollMs);
  }
  notes.faked(on.answers().acked - before.acked);
}

/** One broker of three dies: with two copies in sync sends go on. It comes back later. */
export const killLeader: Act = {
  what: "kill the Kafka broker that leads most",
  async perform({ engines }, on, { log }) {
    const kafka = engines!.kafka;
    const leader = await leaderOf(kafka);
    await leader.kill();
    const servedMs = await everyoneAcked(on);
    log(`everybody is served by two brokers after ${Math.round(servedMs)} ms`);
    await leader.restart();
    await untilAllInSync(kafka);
  },
};

/** Two brokers of three die: one copy is not enough, so sends are refused until they are back. */
export const killTwoOfThree: Act = {
  what: "kill two Kafka brokers of three",
  async perform({ engines }, on, notes) {
    const { kafka } = engines!;
    const leader = await leaderOf(kafka);
    const other = kafka.brokers.find((broker) => broker !== leader)!;
    await Promise.all([leader.kill(), other.kill()]);
    await untilRefused(on, notes);
    await Promise.all([leader.restart(), other.restart()]);
    await untilAllInSync(kafka);
  },
};

/** A process dies while Kafka stands still, so that many sends are in its hands, or on their way through it. */
export const killWhileKafkaSleeps = (name: string): Act => ({
  what: `kill ${name} while Kafka stands still`,
  async perform({ mesh, engines }) {
    const broker = engines!.kafka.brokers[0]!;
    await broker.kill("SIGSTOP");
    try {
      await sleep(sleepMs);
      await mesh.kill(name);
    } finally {
      await broker.kill("SIGCONT");
    }
    await mesh.restart(name);
  },
});

/**
 * A process dies while Kafka is dead: what is in its hands is nowhere else. A Kafka that only stands still may have it in
 * the buffers of its sockets.
 */
export const killWhileKafkaIsDead = (name: string): Act => ({
  what: `kill ${name} while Kafka is dead`,
  async perform({ mesh, engines }) {
    const broker = engines!.kafka.brokers[0]!;
    await broker.kill();
    await sleep(sleepMs);
    await mesh.kill(name);
    // In this order: no process starts without it.
    await broker.restart();
    await mesh.restart(name);
  },
});

/** Writes until there is no room for one more byte. */
function fillDisk(file: string): void {
  const ballast = openSync(file, "w");
  try {
    for (const bytes of blockBytes) {
      const block = Buffer.alloc(bytes);
      try {
        while (writeSync(ballast, block) === bytes);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      }
    }
  } finally {
    closeSync(ballast);
  }
}

async function untilGone(pid: number): Promise<void> {
  const deadlineMs = performance.now() + brokerEndTimeoutMs;
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    if (performance.now() > deadlineMs) throw new Error("the broker goes on with a full disk");
    await sleep(pollMs);
  }
}

/** The disk of the Kafka log is full, and the broker stops; then there is room again, and a supervisor starts it. */
export const fillKafkaDisk: Act = {
  what: "disk full beneath Kafka",
  async perform({ engines }, on, notes) {
    const broker = engines!.kafka.brokers[0]!;
    const ballast = join(engines!.kafkaDisk!, "ballast");
    try {
      fillDisk(ballast);
      await untilGone(broker.pid);
      await untilRefused(on, notes);
    } finally {
      rmSync(ballast, { force: true });
      await broker.restart();
    }
  },
};
