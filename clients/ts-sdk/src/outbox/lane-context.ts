import { ChappeClientError } from "../client-error.ts";
import type { ClientLimits } from "../limits.ts";
import type { Tracer } from "../tracing/tracer.ts";
import type { Frame } from "./frame.ts";
import type { Gate } from "./gate.ts";
import type { SendCalls, Verdict } from "./send-calls.ts";
import type { PendingSend } from "./send-handle.ts";

/** What the lanes of an outbox share. */
export interface LaneContext {
  readonly calls: SendCalls;
  readonly tracer: Tracer | undefined;
  readonly limits: ClientLimits;
  readonly random: () => number;
  readonly gate: Gate;
  readonly nextId: () => Uint8Array;
  /** Sets the clock of the ids to the server's, in Unix milliseconds. */
  readonly syncIds: (serverTimeMs: number) => void;
  /** Aborts when the outbox closes. */
  readonly closing: AbortSignal;
  /** Makes the change survive; rejects when the store cannot. `put` names frames. */
  readonly persist: (remove: readonly string[], put: readonly Frame[]) => Promise<void>;
  readonly settle: (send: PendingSend, seq: number) => void;
  readonly fail: (send: PendingSend, error: ChappeClientError) => void;
  /** The send has got a fresh id; it was known by `oldKey`. */
  readonly renamed: (send: PendingSend, oldKey: string) => void;
}

/** Ends the send as the verdict says; "none", "unknown" and "over" leave it as it is. */
export function applyVerdict(send: PendingSend, verdict: Verdict, context: Pick<LaneContext, "settle" | "fail">): void {
  if (verdict.kind === "seq") context.settle(send, verdict.seq);
  else if (verdict.kind === "conflict") context.fail(send, conflictError(verdict.seq));
  else if (verdict.kind === "unreadable") context.fail(send, unreadableError(verdict.seq));
}

/** The id had come before with another body. */
export function conflictError(seq: number): ChappeClientError {
  return new ChappeClientError("ALREADY_EXISTS", `another message with this id has seq ${seq}; that one stands`);
}

/** The body came to harm after the server had taken it. */
export function unreadableError(seq: number): ChappeClientError {
  return new ChappeClientError("SEND_UNREADABLE", `the message was damaged; seq ${seq} is a placeholder: send it anew`);
}
