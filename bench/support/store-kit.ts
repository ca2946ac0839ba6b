import { randomUUIDv7 } from "node:crypto";
import { ByteWriter } from "@chappe/mesh/codec/byte-writer.ts";
import { appendTaggedMessage, walkTaggedMessages } from "@chappe/mesh/codec/message-events.ts";
import type { MemberRow, MessageRun, MessageStore, ProgressStep, SendRow } from "@chappe/mesh/ports/message-store.ts";

/** A conversation id made of one number. */
export function conversationOf(n: number): Uint8Array {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(12, n);
  return id;
}

/** A UUIDv7 of now, or one that looks as if it had been made at `timeMs`. */
export function idOf(timeMs?: number): Uint8Array {
  const id = Buffer.from(randomUUIDv7().replaceAll("-", ""), "hex");
  if (timeMs !== undefined) id.writeUIntBE(timeMs, 0, 6);
  return Uint8Array.from(id);
}

/** A run of `count` messages from `firstSeq` on, each with `bytes` of content, logged a millisecond apart. */
export function runOf(
  conversation: number,
  firstSeq: number,
  count: number,
  bytes = 20,
  loggedFromMs = 2_000,
): MessageRun {
  const writer = new ByteWriter();
  for (let seq = firstSeq; seq < firstSeq + count; seq++) {
    const content = new Uint8Array(bytes).fill(seq % 251);
    const times = { sentTimeMs: 1_000 + seq, loggedTimeMs: loggedFromMs + seq };
    appendTaggedMessage(writer, { seq, senderId: 7n, clientMessageId: new Uint8Array(16), ...times, kind: 1, content });
  }
  return { conversationId: conversationOf(conversation), firstSeq, count, bytes: writer.finish() };
}

/** Seqs inside runs, in order; checks that each run holds what it says. */
export function seqsOf(runs: readonly MessageRun[]): number[] {
  return runs.flatMap(({ firstSeq, count, bytes }) => {
    const seqs = [...walkTaggedMessages(bytes)].map(({ seq }) => seq);
    if (seqs[0] !== firstSeq || seqs.length !== count)
      throw new Error(`a run of ${count} from ${firstSeq} holds ${seqs}`);
    return seqs;
  });
}

/** Numbers from first to last. */
export const upTo = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** A send row of user 7. */
export function sendOf(conversation: number, seq: number, timeMs?: number): SendRow {
  const conversationId = conversationOf(conversation);
  return {
    conversationId,
    senderId: 7n,
    clientMessageId: idOf(timeMs),
    seq,
    digest: BigInt(seq) << 40n,
    loggedTimeMs: 5,
  };
}

/** A member's row. */
export function memberOf(conversation: number, userId: bigint, joinSeq: number, leaveSeq = 0): MemberRow {
  return { conversationId: conversationOf(conversation), userId, role: leaveSeq > 0 ? 0 : 1, joinSeq, leaveSeq };
}

/** Commits one step of partition 0 after another. */
export class Committing {
  readonly #store: MessageStore;
  #epoch = 0;
  nextOffset = 0;

  constructor(store: MessageStore) {
    this.#store = store;
  }

  async claim(): Promise<void> {
    const { epoch, nextOffset } = (await this.#store.claim([0])).get(0)!;
    this.#epoch = epoch;
    this.nextOffset = nextOffset;
  }

  /** The next step of the partition; `change` makes it wrong. */
  step(change: Partial<ProgressStep> = {}): ProgressStep {
    const { nextOffset: fromOffset } = this;
    return { partition: 0, epoch: this.#epoch, fromOffset, nextOffset: fromOffset + 1, ...change };
  }

  async commit(
    runs: readonly MessageRun[],
    sends: readonly SendRow[] = [],
    members: readonly MemberRow[] = [],
  ): Promise<void> {
    await this.#store.commit({ progress: [this.step()], runs, sends, members });
    this.nextOffset++;
  }
}
