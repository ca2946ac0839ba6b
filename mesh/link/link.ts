import type { Call } from "../rpc/call.ts";

/** The process at the other end. */
export interface LinkPeer {
  /** Unique in the mesh. */
  readonly instanceId: string;
  /** Services it answers calls for. */
  readonly svids: readonly number[];
}

/** Counters of one end since it was opened. */
export interface LinkStats {
  readonly callsInFlight: number;
  readonly callsInHand: number;
  readonly packetsOut: number;
  readonly packetsIn: number;
  readonly framesOut: number;
  readonly waitingBytes: number;
}

/**
 * One end of a stream between two processes. Both ends call and answer; frames keep the order of calls, answers come
 * as they are made. The calls in flight, and their bytes, are the credit of a sender: an answer gives it back.
 */
export interface Link {
  readonly peer: LinkPeer;
  /**
   * Answers with the other end's response. Rejects with its error; UNAVAILABLE when the link ends first (the call may
   * have been taken), OVERLOADED when the credit is used up (it was not), DEADLINE_EXCEEDED, CANCELLED.
   */
  call(call: Call): Promise<Uint8Array>;
  /** False once either end is going away: calls are still possible, but new ones had better take another link. */
  readonly isOpen: boolean;
  /** Settles when the stream has ended, by whomever. */
  readonly closed: Promise<void>;
  stats(): LinkStats;
  /** Tells the other end to call no more. */
  goAway(): void;
  /** Ends the stream; calls in flight are UNAVAILABLE. */
  close(): void;
}
