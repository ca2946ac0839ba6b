import { ChappeClientError } from "../client-error.ts";
import { pause, startTimer } from "../timers.ts";
import { Frame } from "./frame.ts";
import { applyVerdict, type LaneContext } from "./lane-context.ts";
import { refuse } from "./refusal.ts";
import { retryDelayMs } from "./send-calls.ts";
import type { PendingSend } from "./send-handle.ts";
import { packSends } from "./send-request.ts";

/** The sends of one conversation: one call in flight, in order; what waits meanwhile travels together in the next. */
export class Lane {
  readonly #context: LaneContext;
  #waiting: PendingSend[] = [];
  /** Calls that are made up already: left by an earlier run, split, or to be repeated. */
  #frames: Frame[] = [];
  #driving = false;
  /** Acknowledged calls whose sends are not all settled. */
  #watched = 0;

  constructor(context: LaneContext) {
    this.#context = context;
  }

  /** Nothing to do and nothing under way. */
  get idle(): boolean {
    return !this.#driving && this.#watched === 0 && this.#waiting.length === 0 && this.#frames.length === 0;
  }

  /** Takes a send whose turn comes when it is stored: call `kick` then. */
  add(send: PendingSend): void {
    this.#waiting.push(send);
  }

  /** Takes a call left by an earlier run. */
  restore(frame: Frame): void {
    this.#frames.push(frame);
    this.kick();
  }

  /** Something may be ready to go. */
  kick(): void {
    if (this.#driving || this.#context.closing.aborted) return;
    this.#driving = true;
    void this.#drive();
  }

  async #drive(): Promise<void> {
    const { closing } = this.#context;
    // What this turn still stores goes into the same call.
    await Promise.resolve();
    for (;;) {
      const frame = closing.aborted ? undefined : (this.#frames.shift() ?? (await this.#pack()));
      if (frame === undefined) break;
      await this.#deliver(frame);
    }
    this.#driving = false;
    // A kick may have come after the last look.
    if (this.#frames.length > 0 || this.#waiting.find((send) => send.open)?.stored) this.kick();
  }

  /** The next call from what waits, stored; undefined when nothing stored waits. */
  async #pack(): Promise<Frame | undefined> {
    const { limits, persist } = this.#context;
    this.#waiting = this.#waiting.filter((send) => send.open);
    let count = 0;
    let bytes = 0;
    for (const send of this.#waiting) {
      bytes += send.request.byteLength;
      if (!send.stored || count >= limits.maxSendMessages || (count > 0 && bytes > limits.maxSendBytes)) break;
      count++;
    }
    const sends = this.#waiting.splice(0, count);
    const first = sends[0];
    if (first === undefined) return undefined;
    if (sends.length === 1) return new Frame(first.key, first.request, sends, false);
    const frame = new Frame(first.key, packSends(sends.map((send) => send.request)), sends, false);
    try {
      await persist(
        sends.slice(1).map((send) => send.key),
        [frame],
      );
      return frame;
    } catch {
      // Each is stored by itself: the first goes alone.
      for (const send of sends) send.frame = undefined;
      this.#waiting.unshift(...sends.slice(1));
      return new Frame(first.key, first.request, [first], false);
    }
  }

  /** Sends the same bytes until the server has them or refuses them for good. */
  async #deliver(frame: Frame): Promise<void> {
    const { calls, limits, random, gate, tracer } = this.#context;
    const { signal } = frame.over;
    for (let attempt = 0; !signal.aborted; attempt++) {
      for (const send of frame.sends) send.markSending();
      const leave = await gate.enter();
      try {
        tracer?.sending(frame.sends);
        await calls.send(frame);
        tracer?.answered(frame.sends);
        for (const send of frame.open) send.markDurable();
        return this.#watch(frame);
      } catch (thrown) {
        const error = ChappeClientError.from(thrown);
        if (signal.aborted || !error.retryable) tracer?.answered(frame.sends);
        if (signal.aborted) return;
        if (!error.retryable) {
          leave();
          this.#frames.unshift(...(await refuse(frame, error, this.#context)));
          return;
        }
        frame.resend = true;
        leave();
        await pause(retryDelayMs(error, attempt, limits, random), signal);
      } finally {
        leave();
      }
    }
  }

  /** The settling of an acknowledged frame may be lost on the way: after a while the server is asked. */
  #watch(frame: Frame): void {
    const { signal } = frame.over;
    if (signal.aborted) return;
    this.#watched++;
    const settled = (): void => {
      this.#watched--;
      stop();
    };
    const stop = startTimer(this.#context.limits.settleTimeoutMs, () => {
      signal.removeEventListener("abort", settled);
      void this.#check(frame).finally(() => this.#watched--);
    });
    signal.addEventListener("abort", settled, { once: true });
  }

  async #check(frame: Frame): Promise<void> {
    const { calls } = this.#context;
    let lost = false;
    for (const send of frame.open) {
      const verdict = await calls.ask(send, frame.over.signal);
      applyVerdict(send, verdict, this.#context);
      lost ||= verdict.kind === "none";
    }
    if (frame.over.signal.aborted) return;
    if (!lost) return this.#watch(frame);
    // The server holds no trace of what it acknowledged: the same bytes again cannot do harm.
    frame.resend = true;
    this.#frames.push(frame);
    this.kick();
  }
}
