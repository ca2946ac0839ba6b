import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import type { SessionStore } from "@chappe/mesh/rpc/remote-session-store.ts";
import type { SessionRegistry } from "@chappe/mesh/rpc/session-registry.ts";

interface Waiting {
  readonly entry: PresenceEntry;
  /** What the table said of the connection before. */
  readonly before: PresenceEntry | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A registry that knows what it has registered. */
export interface SessionBatcher extends SessionRegistry {
  /** Registers the whole table again, in batches, behind what is in flight. Never rejects. */
  announceAll(): Promise<void>;
  /** Refuses what is waiting. */
  close(): void;
}

/** Sends session changes to Presence in batches: what arrives while a call is in flight goes with the next one. */
class Batcher implements SessionBatcher {
  readonly #presence: SessionStore;
  readonly #table = new Map<bigint, PresenceEntry>();
  #registers: Waiting[] = [];
  #unregisters: Waiting[] = [];
  #announcing: PresenceEntry[] = [];
  #announced: (() => void)[] = [];
  #pumping = false;
  #closed = false;
  readonly #ready: Promise<void>;

  constructor(presence: SessionStore, ready: Promise<void>) {
    this.#presence = presence;
    this.#ready = ready;
  }

  register(entry: PresenceEntry): Promise<void> {
    if (this.#closed) return Promise.reject(new ChappeError("UNAVAILABLE", "Online is closed."));
    if (this.#registers.length >= limits.maxWaitingRegistrations)
      return Promise.reject(new ChappeError("OVERLOADED", "Too many sessions wait to be registered."));
    const before = this.#table.get(entry.connectionId);
    this.#table.set(entry.connectionId, entry);
    return this.#wait(this.#registers, entry, before);
  }

  unregister(entry: PresenceEntry): Promise<void> {
    if (this.#closed) return Promise.reject(new ChappeError("UNAVAILABLE", "Online is closed."));
    this.#table.delete(entry.connectionId);
    return this.#wait(this.#unregisters, entry);
  }

  announceAll(): Promise<void> {
    if (this.#closed || this.#table.size === 0) return Promise.resolve();
    this.#announcing = [...this.#table.values()];
    return new Promise((resolve) => {
      this.#announced.push(resolve);
      void this.#pump();
    });
  }

  close(): void {
    this.#closed = true;
    const error = new ChappeError("UNAVAILABLE", "Online is closed.");
    for (const waiting of [...this.#registers.splice(0), ...this.#unregisters.splice(0)]) waiting.reject(error);
    this.#announcing = [];
    for (const announced of this.#announced.splice(0)) announced();
    this.#table.clear();
  }

  #wait(queue: Waiting[], entry: PresenceEntry, before?: PresenceEntry): Promise<void> {
    return new Promise((resolve, reject) => {
      queue.push({ entry, before, resolve, reject });
      void this.#pump();
    });
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    await this.#ready;
    while (this.#registers.length + this.#unregisters.length + this.#announcing.length > 0) {
      // Registrations go first: an entry that comes and goes within one batch must end up gone.
      await this.#registerSome();
      await this.#announceSome();
      await this.#unregisterSome();
    }
    this.#pumping = false;
    for (const announced of this.#announced.splice(0)) announced();
  }

  async #registerSome(): Promise<void> {
    const batch = this.#registers.splice(0, limits.maxSessionsPerBatch);
    if (batch.length === 0) return;
    try {
      await this.#presence.register(batch.map((waiting) => waiting.entry));
      for (const waiting of batch) waiting.resolve();
    } catch (error) {
      for (const waiting of batch) {
        this.#takeBack(waiting);
        waiting.reject(error);
      }
    }
  }

  /** A connection that could not be hidden or shown stays as it was; one that could not be registered is none. */
  #takeBack({ entry, before }: Waiting): void {
    const { connectionId } = entry;
    if (this.#table.get(connectionId) !== entry) return;
    if (before === undefined) this.#table.delete(connectionId);
    else this.#table.set(connectionId, before);
  }

  async #unregisterSome(): Promise<void> {
    const batch = this.#unregisters.splice(0, limits.maxSessionsPerBatch);
    if (batch.length === 0) return;
    try {
      await this.#presence.unregister(batch.map((waiting) => waiting.entry));
      for (const waiting of batch) waiting.resolve();
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
  }

  async #announceSome(): Promise<void> {
    const batch = this.#announcing.splice(0, limits.maxSessionsPerBatch);
    const current = batch.filter((entry) => this.#table.get(entry.connectionId) === entry);
    // The next announcement repairs what this one could not.
    if (current.length > 0) await this.#presence.register(current).catch(() => undefined);
  }
}

/** The registry of one Login process over the Presence port; nothing goes out before `ready`. */
export function createSessionBatcher(presence: SessionStore, ready: Promise<void>): SessionBatcher {
  return new Batcher(presence, ready);
}
