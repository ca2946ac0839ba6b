import { ChappeError } from "../../errors/chappe-error.ts";
import { isSeenOnline, type Presence, type PresenceChange, type PresenceEntry } from "../../ports/presence.ts";
import { TimerWheel, WheelTimer } from "../../timers/timer-wheel.ts";

/** One Login process; as a timer it is its own lease. */
class LoginLease extends WheelTimer {
  epoch = 0;
  /** When the lease ends, on the wheel's clock; in the past = no lease. */
  deadlineMs = Number.NEGATIVE_INFINITY;
  readonly entries = new Map<bigint, PresenceEntry>();
  readonly #onLapse: (login: LoginLease) => void;

  constructor(onLapse: (login: LoginLease) => void) {
    super();
    this.#onLapse = onLapse;
  }

  override onTimer(): void {
    this.#onLapse(this);
  }
}

function sameEntry(a: PresenceEntry, b: PresenceEntry): boolean {
  return (
    a.userId === b.userId &&
    a.deviceId === b.deviceId &&
    a.loginId === b.loginId &&
    a.loginEpoch === b.loginEpoch &&
    a.connectionId === b.connectionId
  );
}

/** What the engine may be told. */
export interface MemoryPresenceOptions {
  /** Clock and timers; stays the caller's to close. @default a wheel of its own */
  readonly wheel?: TimerWheel;
}

/** Presence of this process. Watchers are called within the change, one batch per operation. */
class MemoryPresence implements Presence {
  readonly #wheel: TimerWheel;
  readonly #ownWheel: boolean;
  readonly #logins = new Map<string, LoginLease>();
  readonly #users = new Map<bigint, PresenceEntry[]>();
  readonly #watchers = new Set<(changes: readonly PresenceChange[]) => void>();
  readonly #onLapse = (login: LoginLease): void => this.#settle(() => this.#void(login));
  #changes: PresenceChange[] = [];

  constructor(options: MemoryPresenceOptions) {
    this.#wheel = options.wheel ?? new TimerWheel();
    this.#ownWheel = options.wheel === undefined;
  }

  async renewLease(loginId: string, loginEpoch: number, ttlMs: number): Promise<{ entriesLost: boolean }> {
    const login = this.#logins.get(loginId) ?? new LoginLease(this.#onLapse);
    this.#logins.set(loginId, login);
    if (loginEpoch < login.epoch) throw new ChappeError("STALE_OWNER", "The login process has a newer epoch.");
    const entriesLost = !this.#live(login);
    this.#settle(() => {
      if (loginEpoch > login.epoch || !this.#live(login)) this.#void(login);
      login.epoch = loginEpoch;
      login.deadlineMs = this.#wheel.now() + ttlMs;
      this.#wheel.schedule(login, ttlMs);
    });
    return { entriesLost };
  }

  async register(entries: readonly PresenceEntry[]): Promise<void> {
    for (const entry of entries) this.#leaseOf(entry);
    this.#settle(() => {
      for (const entry of entries) this.#add(this.#leaseOf(entry), entry);
    });
  }

  async unregister(entries: readonly PresenceEntry[]): Promise<void> {
    this.#settle(() => {
      for (const entry of entries) {
        const login = this.#logins.get(entry.loginId);
        const known = login?.entries.get(entry.connectionId);
        if (login === undefined || known === undefined || !sameEntry(known, entry)) continue;
        login.entries.delete(entry.connectionId);
        this.#remove(known);
      }
    });
  }

  async lookup(userIds: readonly bigint[]): Promise<readonly (readonly PresenceEntry[])[]> {
    return userIds.map((userId) => {
      const entries = this.#users.get(userId) ?? [];
      // The wheel may be late by a tick; readers go by the clock.
      return entries.filter((entry) => this.#live(this.#logins.get(entry.loginId)!));
    });
  }

  watch(onChanges: (changes: readonly PresenceChange[]) => void): () => void {
    const watcher = (changes: readonly PresenceChange[]): void => onChanges(changes);
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  async close(): Promise<void> {
    for (const login of this.#logins.values()) this.#wheel.cancel(login);
    if (this.#ownWheel) this.#wheel.close();
    this.#watchers.clear();
    this.#logins.clear();
    this.#users.clear();
  }

  #live(login: LoginLease): boolean {
    return this.#wheel.now() < login.deadlineMs;
  }

  /** Entries without a lease would not be seen by lookups, so registering them cannot succeed. */
  #leaseOf(entry: PresenceEntry): LoginLease {
    const login = this.#logins.get(entry.loginId);
    if (login !== undefined && entry.loginEpoch < login.epoch)
      throw new ChappeError("STALE_OWNER", "The login process has a newer epoch.");
    if (login === undefined || entry.loginEpoch !== login.epoch || !this.#live(login))
      throw new ChappeError("UNAVAILABLE", "The login process holds no lease.");
    return login;
  }

  #add(login: LoginLease, entry: PresenceEntry): void {
    const before = login.entries.get(entry.connectionId);
    login.entries.set(entry.connectionId, entry);
    const entries = this.#users.get(entry.userId) ?? [];
    const wasOnline = isSeenOnline(entries);
    entries.push(entry);
    this.#users.set(entry.userId, entries);
    if (!wasOnline && isSeenOnline(entries)) this.#changes.push({ userId: entry.userId, online: true });
    if (before !== undefined) this.#remove(before);
  }

  #remove(entry: PresenceEntry): void {
    const entries = this.#users.get(entry.userId);
    const at = entries?.indexOf(entry) ?? -1;
    if (entries === undefined || at < 0) return;
    const wasOnline = isSeenOnline(entries);
    entries.splice(at, 1);
    if (entries.length === 0) this.#users.delete(entry.userId);
    if (wasOnline && !isSeenOnline(entries)) this.#changes.push({ userId: entry.userId, online: false });
  }

  #void(login: LoginLease): void {
    for (const entry of login.entries.values()) this.#remove(entry);
    login.entries.clear();
    login.deadlineMs = Number.NEGATIVE_INFINITY;
  }

  #settle(operation: () => void): void {
    operation();
    if (this.#changes.length === 0) return;
    const changes = this.#changes;
    this.#changes = [];
    for (const watcher of [...this.#watchers]) watcher(changes);
  }
}

/** The Presence of the embedded form: one process, nothing survives it. */
export function createMemoryPresence(options: MemoryPresenceOptions = {}): Presence {
  return new MemoryPresence(options);
}
