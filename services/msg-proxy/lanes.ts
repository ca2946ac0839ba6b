import { encodeLogRecord, type LogRecordEntry, logEntrySize } from "@chappe/mesh/codec/log-record.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { conversationKey, partitionOf } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import { engineCalls } from "@chappe/mesh/telemetry/engine-calls.ts";
import { type Hops, noHops } from "@chappe/mesh/telemetry/hops.ts";
import { createTurnPacer } from "@chappe/mesh/timers/turn-pacer.ts";

/** Takes messages to the log: one append in flight per partition, what waits meanwhile is packed into the next record. */
export interface Lanes {
  /**
   * Settles when every entry is durable. The entries are of one conversation and stay together and in order.
   * OVERLOADED when the lane is full; otherwise rejects as Log.append does.
   */
  append(conversationId: Uint8Array, entries: readonly LogRecordEntry[]): Promise<void>;
  /** Whether a send with this id waits for the log or is on its way there. */
  holds(conversationId: Uint8Array, clientMessageId: Uint8Array): boolean;
  readonly waitingMessages: number;
}

interface Waiting {
  readonly entries: readonly LogRecordEntry[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Lane {
  readonly waiting: Waiting[];
  waitingMessages: number;
  inFlight: readonly Waiting[];
}

/** Splits off the requests that fit one record; at least one. */
function takeRecord(lane: Lane): Waiting[] {
  let count = 0;
  let messages = 0;
  let bytes = 0;
  for (const next of lane.waiting) {
    messages += next.entries.length;
    bytes += next.bytes;
    if (count > 0 && (messages > limits.maxEntriesPerRecord || bytes > limits.maxRecordBytes - recordOverheadBytes))
      break;
    count++;
  }
  return lane.waiting.splice(0, count);
}

const recordOverheadBytes = 64;

/** Runs the lanes that are due and not on their way; answers how many requests waited in them. */
function runDue(lanes: readonly Lane[], due: Set<number>, run: (partition: number) => Promise<void>): number {
  const partitions = [...due].filter((partition) => lanes[partition]!.inFlight.length === 0);
  due.clear();
  let requests = 0;
  for (const partition of partitions) {
    requests += lanes[partition]!.waiting.length;
    void run(partition);
  }
  return requests;
}

/** Lanes onto the message log. */
export function createLanes(log: Log, hops: Hops = noHops): Lanes {
  const lanes = Array.from({ length: log.partitions }, (): Lane => ({ waiting: [], waitingMessages: 0, inFlight: [] }));
  const due = new Set<number>();

  const run = async (partition: number): Promise<void> => {
    const lane = lanes[partition]!;
    const batch = takeRecord(lane);
    lane.inFlight = batch;
    const entries = batch.length === 1 ? batch[0]!.entries : batch.flatMap((request) => request.entries);
    const startMs = hops.now();
    try {
      await log.append("messages", partition, encodeLogRecord(entries));
      hops.calledFor(engineCalls.appendMessages, entries, startMs);
      for (const request of batch) request.resolve();
    } catch (error) {
      hops.calledFor(engineCalls.appendMessages, entries, startMs, ChappeError.from(error).row.number);
      for (const request of batch) request.reject(error);
    }
    for (const request of batch) lane.waitingMessages -= request.entries.length;
    lane.inFlight = [];
    if (lane.waiting.length > 0) schedule(partition);
  };

  // Requests that came together share a record, and records of several partitions a group of the log.
  const pacer = createTurnPacer({
    run: () => runDue(lanes, due, run),
    busyItems: limits.busyTurnItems,
    intervalMs: limits.lanePaceMs,
  });
  const schedule = (partition: number): void => {
    due.add(partition);
    pacer.request();
  };

  return {
    append(conversationId, entries) {
      const partition = partitionOf(conversationId, lanes.length);
      const lane = lanes[partition]!;
      if (lane.waitingMessages + entries.length > limits.maxLaneMessages) {
        return Promise.reject(new ChappeError("OVERLOADED", undefined, { retryAfterMs: limits.overloadRetryAfterMs }));
      }
      lane.waitingMessages += entries.length;
      const bytes = entries.reduce((sum, entry) => sum + logEntrySize(entry), 0);
      return new Promise((resolve, reject) => {
        lane.waiting.push({ entries, bytes, resolve, reject });
        if (lane.inFlight.length === 0) schedule(partition);
      });
    },
    holds(conversationId, clientMessageId) {
      const lane = lanes[partitionOf(conversationId, lanes.length)]!;
      const key = conversationKey(clientMessageId);
      const has = (request: Waiting): boolean =>
        request.entries.some((entry) => conversationKey(entry.clientMessageId) === key);
      return lane.inFlight.some(has) || lane.waiting.some(has);
    },
    get waitingMessages() {
      return lanes.reduce((sum, lane) => sum + lane.waitingMessages, 0);
    },
  };
}
