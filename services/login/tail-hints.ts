import { WheelTimer } from "@chappe/mesh/timers/timer-wheel.ts";
import type { Session } from "./session.ts";
import { Tail } from "./tail.ts";

/**
 * The tail of a session with its timer. It looks when the first hint of a burst is due, and is not moved by each
 * acknowledgement: an active connection costs one look per limits.tailHintMs.
 */
export class TailHints extends WheelTimer {
  readonly tail: Tail;
  readonly #session: Session;

  constructor(session: Session) {
    super();
    const { limits } = session.context;
    this.tail = new Tail(limits.maxUnackedConversations, limits.tailHintMs);
    this.#session = session;
  }

  /** A message was pushed. */
  raise(conversationKey: string, seq: number, nowMs: number): void {
    this.tail.raise(conversationKey, seq, nowMs);
    const { wheel, limits } = this.#session.context;
    if (this.wheelSlot < 0) wheel.schedule(this, limits.tailHintMs);
  }

  override onTimer(nowMs: number): void {
    const { unacked, compareHeads } = this.tail.takeDue(nowMs);
    if (unacked.length > 0 || compareHeads) this.#session.hint(unacked, compareHeads);
    const nextMs = this.tail.nextDueMs;
    if (nextMs < Number.POSITIVE_INFINITY) this.#session.context.wheel.schedule(this, Math.max(0, nextMs - nowMs));
    else if (this.tail.isEmpty) this.#session.forgetTail(this);
  }
}
