/**
 * `node bench/kafka-log.ts [--seconds=4] [--json]`: appends to a Kafka of our own and reads back, by each client library,
 * with messages packed into records as MsgProxy packs them and with one record per message. CPU is that of this process
 * and of the broker, a message. The ways take turns, three times, so that other load on the machine hits all of them.
 */
import { parseArgs } from "node:util";
import { EntryKind } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { encodeLogRecord, type LogRecordEntry } from "@chappe/mesh/codec/log-record.ts";
import { startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import { type KafkaClientName, kafkaClientNames } from "@chappe/mesh/engines/kafka-log/kafka-log-options.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import { cpuSecondsOf } from "./support/process-usage.ts";
import { conversationOf, idOf } from "./support/store-kit.ts";

const partitions = 8;
const messagesPerBatch = 64;
const bodyBytes = 100;
/** Batches made ahead: making them is MsgProxy's CPU. */
const batchesMade = 64;
/** The first one warms the broker and is not counted. */
const rounds = 4;
const warmUpMs = 1_000;

interface Way {
  readonly client: KafkaClientName;
  /** Messages of one record. */
  readonly perRecord: number;
}

/** Sums over the rounds. */
interface Sums {
  messages: number;
  ms: number;
  clientCpuMs: number;
  brokerCpuMs: number;
}

const newSums = (): Sums => ({ messages: 0, ms: 0, clientCpuMs: 0, brokerCpuMs: 0 });
const ways: readonly Way[] = kafkaClientNames.flatMap((client) => [
  { client, perRecord: messagesPerBatch },
  { client, perRecord: 1 },
]);

function newEntry(): LogRecordEntry {
  const head = { conversationId: conversationOf(1), senderId: 7n, clientMessageId: idOf(), digest: 1n, deviceId: 9n };
  return { ...head, kind: EntryKind.USER, traceContext: new Uint8Array(0), body: new Uint8Array(bodyBytes).fill(97) };
}

/** Records of one batch of messages. */
function newRecords(perRecord: number): Uint8Array[] {
  const records = Array.from({ length: messagesPerBatch / perRecord }, () =>
    Array.from({ length: perRecord }, newEntry),
  );
  return records.map((entries) => encodeLogRecord(entries));
}

/** One batch in flight a partition; answers how many messages are durable. */
async function appendFor(log: Log, perRecord: number, durationMs: number): Promise<number> {
  const batches = Array.from({ length: batchesMade }, () => newRecords(perRecord));
  const until = performance.now() + durationMs;
  const lane = async (partition: number): Promise<number> => {
    let messages = 0;
    for (; performance.now() < until; messages += messagesPerBatch)
      await Promise.all(
        batches[(messages / messagesPerBatch) % batchesMade]!.map((record) =>
          log.append("messages", partition, record),
        ),
      );
    return messages;
  };
  const counts = await Promise.all(Array.from({ length: partitions }, (_, partition) => lane(partition)));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Reads everything; answers the number of messages, from the first record on. */
async function readAll(log: Log, perRecord: number): Promise<number> {
  const ends = await Promise.all(Array.from({ length: partitions }, (_, partition) => log.end("messages", partition)));
  const total = ends.reduce((sum, end) => sum + end, 0);
  const done = Promise.withResolvers<void>();
  let count = 0;
  const subscription = await log.subscribe("messages", `bench-${Math.random()}`, {
    assigned: async () => new Map(),
    async records(batches) {
      for (const { entries } of batches) count += entries.length;
      if (count >= total) done.resolve();
    },
    revoked: async () => undefined,
  });
  await done.promise;
  await subscription.close();
  return count * perRecord;
}

async function measure(sums: Sums, brokerPid: number, work: () => Promise<number>): Promise<void> {
  const [own, broker, startedMs] = [process.cpuUsage(), cpuSecondsOf(brokerPid), performance.now()];
  sums.messages += await work();
  const { user, system } = process.cpuUsage(own);
  sums.ms += performance.now() - startedMs;
  sums.clientCpuMs += (user + system) / 1_000;
  sums.brokerCpuMs += (cpuSecondsOf(brokerPid) - broker) * 1_000;
}

const round = (value: number): number => Number(value.toPrecision(3));

const figuresOf = ({ messages, ms, clientCpuMs, brokerCpuMs }: Sums) => ({
  msgsPerSecond: Math.round((messages * 1_000) / ms),
  clientCpuMsPerMsg: round(clientCpuMs / messages),
  brokerCpuMsPerMsg: round(brokerCpuMs / messages),
});

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "4" }, json: { type: "boolean", default: false } },
});
const kafka = await startKafka();
try {
  const pid = kafka.brokers[0]!.pid;
  const results = new Map(ways.map((way) => [way, { append: newSums(), read: newSums() }]));
  for (let turn = 0; turn < rounds; turn++) {
    for (const [way, { append, read }] of results) {
      const prefix = `bench-${turn}-${way.client}-${way.perRecord}`;
      const log = await createKafkaLog({ brokers: kafka.addresses, partitions, prefix, client: way.client });
      await appendFor(log, way.perRecord, warmUpMs);
      const counts = turn > 0;
      await measure(counts ? append : newSums(), pid, () =>
        appendFor(log, way.perRecord, Number(values.seconds) * 1_000),
      );
      await measure(counts ? read : newSums(), pid, () => readAll(log, way.perRecord));
      await log.close();
    }
  }
  const rows = [...results].map(([{ client, perRecord }, { append, read }]) => {
    const name = `${client}, ${perRecord === 1 ? "one record per message" : `${perRecord} messages a record`}`;
    return [name, { append: figuresOf(append), read: figuresOf(read) }] as const;
  });
  if (values.json) console.log(JSON.stringify(Object.fromEntries(rows)));
  else
    console.table(
      rows.flatMap(([name, row]) => Object.entries(row).map(([what, figures]) => ({ name, what, ...figures }))),
    );
} finally {
  await kafka.close();
}
