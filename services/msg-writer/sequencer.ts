import { conversationKey } from "@chappe/mesh/ids/conversation-id.ts";
import type { SendKey, SendRow } from "@chappe/mesh/ports/message-store.ts";
import type { Hops } from "@chappe/mesh/telemetry/hops.ts";
import type { ReadEntry } from "./read-record.ts";
import { createStepBuilder, type Step } from "./step-builder.ts";

/** Entries of one log record. */
export interface RecordInput {
  readonly loggedTimeMs: number;
  readonly entries: readonly ReadEntry[];
}

/** Consecutive records of one partition. */
export interface PartitionInput {
  readonly partition: number;
  readonly epoch: number;
  readonly fromOffset: number;
  readonly nextOffset: number;
  readonly records: readonly RecordInput[];
}

/**
 * Gives every message its seq: the place among the accepted, non-duplicate messages of its conversation. A pure
 * function of the log and of committed state, so whoever replays gets the same numbers.
 */
export interface Sequencer {
  /** Conversations among these inputs whose head must be given to setHead before sequence is called. */
  missingHeads(inputs: readonly PartitionInput[]): readonly Uint8Array[];
  setHead(conversationId: Uint8Array, headSeq: number): void;
  /** Whether a send is among those sequenced and not yet forgotten. */
  hasPending(key: SendKey): boolean;
  /** `known` answers committed sends by sendKeyOf. */
  sequence(inputs: readonly PartitionInput[], known: ReadonlyMap<string, SendRow>): Step;
  /** The store has these rows now; look-ups started from here on see them. */
  forgetPending(rows: readonly SendRow[]): void;
  /** Conversations whose head is remembered. */
  readonly heads: number;
  /** Forgets heads; only while nothing is pending. */
  clearHeads(): void;
  /** Forgets everything. */
  reset(): void;
}

/** A SendKey as a Map key. */
export function sendKeyOf(key: SendKey): string {
  return `${conversationKey(key.clientMessageId)}${conversationKey(key.conversationId)}${key.senderId}`;
}

function missingHeads(inputs: readonly PartitionInput[], heads: ReadonlyMap<string, number>): Uint8Array[] {
  const missing = new Map<string, Uint8Array>();
  for (const input of inputs) {
    for (const record of input.records) {
      for (const { conversationId } of record.entries) {
        const key = conversationKey(conversationId);
        if (!heads.has(key)) missing.set(key, conversationId);
      }
    }
  }
  return [...missing.values()];
}

/** An empty sequencer; `hops` decides what is traced on. */
export function createSequencer(hops?: Hops): Sequencer {
  const heads = new Map<string, number>();
  const pending = new Map<string, SendRow>();

  const sequence: Sequencer["sequence"] = (inputs, known) => {
    const step = createStepBuilder(hops);
    for (const input of inputs) {
      for (const [at, record] of input.records.entries()) {
        const place = { partition: input.partition, offset: input.fromOffset + at };
        for (const [index, entry] of record.entries.entries()) {
          const key = sendKeyOf(entry);
          const first = pending.get(key) ?? known.get(key);
          if (first !== undefined) {
            step.settleDuplicate(input.partition, entry, first);
            continue;
          }
          const conversation = conversationKey(entry.conversationId);
          const seq = heads.get(conversation)! + 1;
          heads.set(conversation, seq);
          pending.set(key, step.accept(input.partition, conversation, entry, seq, record.loggedTimeMs));
          if (entry.body === undefined) step.bury(place, index, entry, seq);
        }
      }
      step.advance(input);
    }
    return step.finish();
  };

  return {
    missingHeads: (inputs) => missingHeads(inputs, heads),
    setHead: (conversationId, headSeq) => void heads.set(conversationKey(conversationId), headSeq),
    hasPending: (key) => pending.has(sendKeyOf(key)),
    sequence,
    forgetPending(rows) {
      for (const row of rows) pending.delete(sendKeyOf(row));
    },
    get heads() {
      return heads.size;
    },
    clearHeads: () => heads.clear(),
    reset() {
      heads.clear();
      pending.clear();
    },
  };
}
