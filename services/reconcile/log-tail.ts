import { decodeLogRecord } from "@chappe/mesh/codec/log-record.ts";
import { conversationKey } from "@chappe/mesh/ids/conversation-id.ts";
import type { Log, LogConsumer, PartitionBatch } from "@chappe/mesh/ports/log.ts";
import type { SendKey } from "@chappe/mesh/ports/message-store.ts";

/** A message as the log has it. */
export interface LoggedSend extends SendKey {
  /** Undefined when its body is damaged. */
  readonly digest: bigint | undefined;
}

/** The newest messages on the log, by conversation, each in the order of the log. */
export type LogTail = ReadonlyMap<string, readonly LoggedSend[]>;

/** What readLogTail needs. */
export interface LogTailOptions {
  readonly log: Pick<Log, "partitions" | "subscribe">;
  /** Offsets that the log is read up to, by partition; partitions left out are not read. */
  readonly ends: ReadonlyMap<number, number>;
  /** Records of each partition, the newest before its end. */
  readonly maxRecords: number;
  readonly timeoutMs: number;
}

/** Reads up to the ends, once. */
class TailReader implements LogConsumer {
  readonly #options: LogTailOptions;
  readonly #left: Set<number>;
  readonly #done = Promise.withResolvers<void>();
  readonly sends = new Map<string, LoggedSend[]>();

  constructor(options: LogTailOptions) {
    this.#options = options;
    this.#left = new Set([...options.ends].filter(([, end]) => end > 0).map(([partition]) => partition));
    if (this.#left.size === 0) this.#done.resolve();
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  assigned(partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const { ends, maxRecords } = this.#options;
    return Promise.resolve(
      new Map(partitions.map((partition) => [partition, Math.max(0, (ends.get(partition) ?? 0) - maxRecords)])),
    );
  }

  revoked(): Promise<void> {
    return Promise.resolve();
  }

  records(batches: readonly PartitionBatch[]): Promise<void> {
    for (const { partition, entries } of batches) {
      const end = this.#options.ends.get(partition) ?? 0;
      for (const { offset, payload } of entries) if (offset < end) this.#add(payload);
      if (entries.at(-1)!.offset + 1 >= end) this.#left.delete(partition);
    }
    if (this.#left.size === 0) this.#done.resolve();
    return Promise.resolve();
  }

  #add(payload: Uint8Array): void {
    for (const { conversationId, senderId, clientMessageId, digest, body } of decodeLogRecord(payload)) {
      const key = conversationKey(conversationId);
      const sends = this.sends.get(key);
      const ids = { conversationId: conversationId.slice(), clientMessageId: clientMessageId.slice() };
      const send = { ...ids, senderId, digest: body === undefined ? undefined : digest };
      if (sends === undefined) this.sends.set(key, [send]);
      else sends.push(send);
    }
  }
}

/** The messages of the newest records before the ends. When time is over it answers with what has come. */
export async function readLogTail(options: LogTailOptions): Promise<LogTail> {
  const reader = new TailReader(options);
  const subscription = await options.log.subscribe("messages", undefined, reader);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, options.timeoutMs);
  });
  await Promise.race([reader.done, late]);
  clearTimeout(timer);
  await subscription.close();
  return reader.sends;
}
