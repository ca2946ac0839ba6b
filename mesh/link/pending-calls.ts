import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";
import type { Call } from "../rpc/call.ts";

interface PendingCall {
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: ChappeError) => void;
  readonly deadlineMs: number;
  readonly bytes: number;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: (() => void) | undefined;
}

/** Calls without an answer yet: their number and their bytes are bounded. */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>();
  #bytes = 0;
  #lastId = 0;

  get size(): number {
    return this.#calls.size;
  }

  /** No further call may be added. */
  get isFull(): boolean {
    return this.#calls.size >= limits.maxLinkCallsInFlight || this.#bytes >= limits.maxLinkBytesInFlight;
  }

  /** Adds a call; answers its id. */
  add(resolve: PendingCall["resolve"], reject: PendingCall["reject"], { deadlineMs, payload, signal }: Call): number {
    const id = this.#freeId();
    const bytes = payload.length;
    const onAbort = signal === undefined ? undefined : () => this.fail(id, new ChappeError("CANCELLED"));
    if (onAbort !== undefined) signal?.addEventListener("abort", onAbort, { once: true });
    this.#calls.set(id, { resolve, reject, deadlineMs, bytes, signal, onAbort });
    this.#bytes += bytes;
    return id;
  }

  /** The answer came. One that nobody waits for any more is dropped. */
  settle(id: number, payload: Uint8Array): void {
    this.#take(id)?.resolve(payload);
  }

  /** The refusal came, or the caller gave up. */
  fail(id: number, error: ChappeError): void {
    this.#take(id)?.reject(error);
  }

  /** Ends calls whose deadline has passed. */
  expire(nowMs: number): void {
    for (const [id, { deadlineMs }] of this.#calls)
      if (deadlineMs <= nowMs) this.fail(id, new ChappeError("DEADLINE_EXCEEDED"));
  }

  /** Ends all calls. */
  failAll(error: ChappeError): void {
    for (const id of [...this.#calls.keys()]) this.fail(id, error);
  }

  #take(id: number): PendingCall | undefined {
    const call = this.#calls.get(id);
    if (call === undefined) return undefined;
    this.#calls.delete(id);
    this.#bytes -= call.bytes;
    if (call.onAbort !== undefined) call.signal?.removeEventListener("abort", call.onAbort);
    return call;
  }

  #freeId(): number {
    do this.#lastId = this.#lastId === 0xffff_ffff ? 1 : this.#lastId + 1;
    while (this.#calls.has(this.#lastId));
    return this.#lastId;
  }
}
