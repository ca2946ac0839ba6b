import { ChappeClientError } from "../client-error.ts";
import { cancelled, type Stop, startTimer } from "../timers.ts";

interface OpenCall {
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: ChappeClientError) => void;
}

/** How long a call may take, and who may stop it. */
export interface CallBounds {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The calls of one connection that have no answer yet, by packet id. */
export class CallTable {
  readonly #calls = new Map<number, OpenCall>();
  readonly #max: number;
  #lastId = 0;
  #failure: ChappeClientError | undefined;

  constructor(maxCallsInFlight: number) {
    this.#max = maxCallsInFlight;
  }

  /** Opens a call; `send` gets its id and writes the packet. Rejects OVERLOADED, DEADLINE_EXCEEDED, CANCELLED. */
  open(bounds: CallBounds, send: (id: number) => void): Promise<Uint8Array> {
    const { signal, timeoutMs } = bounds;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (signal?.aborted) return Promise.reject(cancelled(signal));
    if (this.#calls.size >= this.#max)
      return Promise.reject(new ChappeClientError("OVERLOADED", "too many calls in flight on this connection"));
    return new Promise((resolve, reject) => {
      const id = this.#nextId();
      let stopTimer: Stop = () => {};
      const finish = (): void => {
        this.#calls.delete(id);
        stopTimer();
        signal?.removeEventListener("abort", abort);
      };
      const call: OpenCall = {
        resolve: (payload) => {
          finish();
          resolve(payload);
        },
        reject: (error) => {
          finish();
          reject(error);
        },
      };
      const abort = (): void => call.reject(cancelled(signal!));
      stopTimer = startTimer(timeoutMs, () => call.reject(new ChappeClientError("DEADLINE_EXCEEDED")));
      signal?.addEventListener("abort", abort, { once: true });
      this.#calls.set(id, call);
      send(id);
    });
  }

  /** Settles a call; answers to calls that are gone are ignored. */
  answer(id: number, outcome: Uint8Array | ChappeClientError): void {
    const call = this.#calls.get(id);
    if (outcome instanceof ChappeClientError) call?.reject(outcome);
    else call?.resolve(outcome);
  }

  /** Rejects every call, and every later one. */
  fail(error: ChappeClientError): void {
    this.#failure = error;
    for (const call of [...this.#calls.values()]) call.reject(error);
  }

  #nextId(): number {
    do this.#lastId = this.#lastId >= 0xffffffff ? 1 : this.#lastId + 1;
    while (this.#calls.has(this.#lastId));
    return this.#lastId;
  }
}
