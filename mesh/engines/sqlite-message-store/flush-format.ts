import type { MemberRow } from "../../ports/message-store.ts";

/** Bytes of one packed send: id 16, conversation 16, sender 8, seq 8, digest 8, logged time 8. */
export const packedSendBytes = 64;

/** Sends of one dedupe block. */
export const sendsPerBlock = 512;

/** Numbers per run in FlushRuns.numbers: first seq, count, segment, offset, length, CRC-32. */
export const numbersPerRun = 6;

/** Rows of the run index; segments are numbered from 0 in the flush. */
export interface FlushRuns {
  /** 16 bytes per run. */
  readonly conversations: Uint8Array;
  readonly numbers: Float64Array;
}

/** A frozen memtable on its way to the worker; all of it is one transaction. */
export interface Flush {
  /** Tagged messages of many runs one after the other. */
  readonly segments: readonly Uint8Array[];
  readonly runs: FlushRuns;
  /** Packed sends in order of id. */
  readonly sends: Uint8Array;
  readonly members: readonly MemberRow[];
  /** partition, next offset, epoch. */
  readonly progress: readonly (readonly [number, number, number])[];
}
