import type { Frame } from "./frame.ts";
import type { OutboxEntry, OutboxStore } from "./outbox-store.ts";
import type { PendingSend } from "./send-handle.ts";

/** Writes to the store of one user: what one turn of the event loop adds is one change, what it removes another. */
export class OutboxWriter {
  readonly #store: OutboxStore;
  readonly #userId: bigint;
  #added: OutboxEntry[] = [];
  #removed: string[] = [];
  #adding: PromiseWithResolvers<void> | undefined;
  #scheduled = false;
  #closed = false;

  constructor(store: OutboxStore, userId: bigint) {
    this.#store = store;
    this.#userId = userId;
  }

  /** Settles when the send is stored; rejects when it cannot be. */
  add(send: PendingSend): Promise<void> {
    this.#added.push({ key: send.key, userId: this.#userId, request: send.request });
    this.#adding ??= Promise.withResolvers();
    this.#schedule();
    return this.#adding.promise;
  }

  /** Forgets an entry. What cannot be forgotten is sent again by the next run, which is harmless. */
  remove(key: string): void {
    this.#removed.push(key);
    this.#schedule();
  }

  /** Replaces entries by frames, in one change; rejects when the store cannot. */
  persist(remove: readonly string[], put: readonly Frame[]): Promise<void> {
    this.#flush();
    const entries = put.map(({ key, request }) => ({ key, userId: this.#userId, request }));
    return this.#store.write({ remove, put: entries });
  }

  async close(): Promise<void> {
    this.#flush();
    this.#closed = true;
    await this.#store.close();
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    const [added, adding, removed] = [this.#added, this.#adding, this.#removed];
    this.#added = [];
    this.#adding = undefined;
    this.#removed = [];
    // An entry is added before it is removed, so the order of the two changes is this one.
    if (adding !== undefined) this.#store.write({ put: added }).then(adding.resolve, adding.reject);
    if (removed.length > 0) this.#store.write({ remove: removed }).catch(() => {});
  }
}
