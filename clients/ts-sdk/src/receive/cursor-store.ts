import { type Stop, startTimer } from "../timers.ts";

/** A conversation and the newest seq that the application is done with. */
export type Cursor = readonly [conversationId: Uint8Array, seq: number];

/**
 * Where the positions outlive the program, so that a client that comes back gets only what is new. A cursor is saved
 * after the application has asked for the message behind it: after a crash the last ones may come again, none is lost.
 */
export interface CursorStore {
  /** Every cursor saved before. */
  load(): Promise<readonly Cursor[]>;
  /** Keeps the cursors beside those of other conversations. */
  save(cursors: readonly Cursor[]): Promise<void>;
  /** Settles when everything saved is kept. */
  close(): Promise<void>;
}

/** Cursors that live as long as the program; `initial` = those the application has kept itself. */
export function createMemoryCursors(initial: readonly Cursor[] = []): CursorStore {
  return {
    load: async () => initial,
    save: async () => {},
    close: async () => {},
  };
}

/** Saves cursors in the background, the newest of each conversation. */
export class CursorKeeper {
  readonly #store: CursorStore;
  readonly #intervalMs: number;
  #changed = new Map<string, Cursor>();
  #stop: Stop | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(store: CursorStore, cursorSaveMs: number) {
    this.#store = store;
    this.#intervalMs = cursorSaveMs;
  }

  /** The cursor of this conversation is to be saved. */
  set(key: string, cursor: Cursor): void {
    const before = this.#changed.get(key);
    if (before !== undefined && before[1] >= cursor[1]) return;
    this.#changed.set(key, cursor);
    this.#stop ??= startTimer(this.#intervalMs, () => this.#save());
  }

  /** Saves what is left, then closes the store. */
  async close(): Promise<void> {
    this.#save();
    await this.#saving;
    await this.#store.close();
  }

  #save(): void {
    this.#stop?.();
    this.#stop = undefined;
    if (this.#changed.size === 0) return;
    const cursors = [...this.#changed.values()];
    this.#changed = new Map();
    // A cursor that was not saved costs a repeat after the next start, nothing else.
    this.#saving = this.#saving.then(() => this.#store.save(cursors)).catch(() => {});
  }
}
