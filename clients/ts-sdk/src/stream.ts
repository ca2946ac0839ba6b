/** Hooks of a stream's owner. */
export interface StreamHooks<T> {
  /** The application has asked for the next value, so it is done with this one. */
  readonly onDone?: (value: T) => void;
  /** The buffer has shrunk. */
  readonly onTaken?: () => void;
  /** The stream has ended; `rest` was never taken. Called once. */
  readonly onEnd?: (rest: readonly T[]) => void;
}

/** A buffered AsyncIterable for one consumer. It never throws: `end()`, its signal or a `break` end it. */
export class Stream<T> implements AsyncIterableIterator<T> {
  readonly #hooks: StreamHooks<T>;
  readonly #waiting: ((result: IteratorResult<T>) => void)[] = [];
  #buffer: T[] = [];
  #current: { readonly value: T } | undefined;
  #ended = false;
  #finishing = false;
  readonly #detach: () => void;

  constructor(hooks: StreamHooks<T> = {}, signal?: AbortSignal) {
    this.#hooks = hooks;
    const abort = (): void => this.end();
    this.#detach = () => signal?.removeEventListener("abort", abort);
    // Nobody can have registered the stream yet, so nobody is told.
    if (signal?.aborted) this.#ended = true;
    else signal?.addEventListener("abort", abort, { once: true });
  }

  /** Values not taken yet. */
  get size(): number {
    return this.#buffer.length;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Adds a value; ignored after the end. */
  push(value: T): void {
    if (this.#ended || this.#finishing) return;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#buffer.push(value);
    else this.#give(value, waiting);
  }

  /** Forgets the oldest value. */
  dropOldest(): void {
    this.#buffer.shift();
  }

  /** Ends the stream once everything in it was taken. */
  finish(): void {
    this.#finishing = true;
    if (this.#buffer.length === 0) this.end();
  }

  /** Ends the stream; what was not taken goes to `onEnd`. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#detach();
    this.#settleCurrent();
    const rest = this.#buffer;
    this.#buffer = [];
    this.#hooks.onEnd?.(rest);
    for (const waiting of this.#waiting.splice(0)) waiting({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<T>> {
    this.#settleCurrent();
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    if (this.#buffer.length === 0) return new Promise((resolve) => this.#waiting.push(resolve));
    const value = this.#buffer.shift()!;
    return new Promise((resolve) => {
      this.#give(value, resolve);
      if (this.#finishing && this.#buffer.length === 0) this.end();
      this.#hooks.onTaken?.();
    });
  }

  return(): Promise<IteratorResult<T>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }

  #give(value: T, to: (result: IteratorResult<T>) => void): void {
    this.#current = { value };
    to({ done: false, value });
  }

  #settleCurrent(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current !== undefined) this.#hooks.onDone?.(current.value);
  }
}
