import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Log, LogEntry } from "@chappe/mesh/ports/log.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import { encodeDeadRecord, type LogPlace } from "./dead-letters.ts";
import { readRecord } from "./read-record.ts";

/** What skipRecord needs. */
export interface SkipRecordOptions {
  readonly log: Log;
  readonly store: MessageStore;
  readonly place: LogPlace;
}

async function readOne({ log, place }: SkipRecordOptions): Promise<LogEntry> {
  const { partition, offset } = place;
  const found = Promise.withResolvers<LogEntry>();
  const subscription = await log.subscribe("messages", undefined, {
    async assigned(partitions) {
      const ends = partitions.map(async (one) => [one, one === partition ? offset : await log.end("messages", one)]);
      return new Map((await Promise.all(ends)) as [number, number][]);
    },
    async records(batches) {
      const entry = batches.find((batch) => batch.partition === partition)?.entries[0];
      if (entry?.offset === offset) found.resolve(entry);
    },
    revoked: async () => undefined,
  });
  try {
    return await found.promise;
  } finally {
    await subscription.close();
  }
}

/**
 * What an operator does when a record with a damaged envelope has stopped a partition and no copy of it can be had: it
 * goes to the dead-letter log, and its messages have no seq. INVALID_ARGUMENT when the record can be read, or is not
 * the one that the partition stands at. MsgWriter goes on behind it when the partition is assigned to it again.
 */
export async function skipRecord(options: SkipRecordOptions): Promise<void> {
  const { log, store, place } = options;
  const { partition, offset } = place;
  const at = (await store.progress([partition])).get(partition)?.nextOffset ?? 0;
  if (at !== offset) throw invalidArgument("offset", "next", `is not ${at}, at which partition ${partition} stands`);
  if (offset >= (await log.end("messages", partition)))
    throw invalidArgument("offset", "exists", `is at the end of partition ${partition}: there is no record`);
  const entry = await readOne(options);
  try {
    readRecord(entry.payload);
  } catch {
    await log.append("dead-letter", partition, encodeDeadRecord(place, entry.payload));
    await moveOn(store, place);
    return;
  }
  throw invalidArgument("offset", "damaged", "is that of a record that can be read: it is not skipped");
}

async function moveOn(store: MessageStore, { partition, offset }: LogPlace): Promise<void> {
  const claim = (await store.claim([partition])).get(partition);
  if (claim?.nextOffset !== offset) throw new ChappeError("STALE_OWNER", "the partition has moved meanwhile");
  const step = { partition, epoch: claim.epoch, fromOffset: offset, nextOffset: offset + 1 };
  await store.commit({ progress: [step], runs: [], sends: [], members: [] });
}
