import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { Presence, PresenceChange, PresenceEntry } from "../../ports/presence.ts";
import { openRedis, type RedisClient, redisCall } from "../redis/open-redis.ts";
import { presenceScripts, unseenMark } from "./presence-scripts.ts";

/** What createRedisPresence needs. */
export interface RedisPresenceOptions {
  /** "host:port" each; more than one = a cluster. */
  readonly addresses: readonly string[];
  readonly password?: string;
  /** How often leases that have lapsed are looked for. @default limits.presenceSweepMs */
  readonly sweepMs?: number;
}

type Command = (...args: (string | number)[]) => Promise<number>;
type Scripted = RedisClient & Record<keyof typeof presenceScripts, Command>;

const channel = "chappe:presence";
const loginsKey = "chappe:logins";
const leaseKey = (loginId: string): string => `chappe:lease:{${loginId}}`;
const sessionsKey = (loginId: string): string => `chappe:sessions:{${loginId}}`;
const userKey = (userId: bigint | string): string => `chappe:user:{${userId}}`;

const fieldOf = ({ loginId, connectionId }: PresenceEntry): string => `${connectionId}@${loginId}`;
const markOf = ({ invisible }: PresenceEntry): string => (invisible === true ? unseenMark : "");
/** What is compared before a session is deleted; as it is stored, a mark follows. */
const fieldValueOf = ({ deviceId, loginEpoch }: PresenceEntry): string => `${deviceId}/${loginEpoch}`;
/** What the list of a Login process says of one connection. */
const sessionOf = ({ userId, deviceId, loginEpoch }: PresenceEntry): string => `${userId}/${deviceId}/${loginEpoch}`;

function entryOf(userId: bigint, field: string, value: string): PresenceEntry {
  const at = field.indexOf("@");
  const [deviceId = "0", loginEpoch = "0"] = value.split("/");
  return {
    userId,
    deviceId: BigInt(deviceId),
    loginId: field.slice(at + 1),
    loginEpoch: Number(loginEpoch),
    connectionId: BigInt(field.slice(0, at)),
    ...(value.endsWith(unseenMark) && { invisible: true }),
  };
}

function entryOfSession(loginId: string, connectionId: string, session: string): PresenceEntry {
  const [userId = "0", deviceId = "0", loginEpoch = "0"] = session.split("/");
  const ids = { userId: BigInt(userId), deviceId: BigInt(deviceId), connectionId: BigInt(connectionId) };
  return { ...ids, loginId, loginEpoch: Number(loginEpoch) };
}

/** What others see by the answers of the scripts: 1 = came, -1 = went. */
const changesOf = (entries: readonly PresenceEntry[], effects: readonly number[]): PresenceChange[] =>
  entries.flatMap(({ userId }, i) => (effects[i] === 0 ? [] : [{ userId, online: effects[i] === 1 }]));

const byLogin = (entries: readonly PresenceEntry[]): Map<string, PresenceEntry[]> => {
  const lists = new Map<string, PresenceEntry[]>();
  for (const entry of entries) {
    const list = lists.get(entry.loginId);
    if (list === undefined) lists.set(entry.loginId, [entry]);
    else list.push(entry);
  }
  return lists;
};

/**
 * Presence in Redis. A user's sessions are one hash, found by the user; the sessions of a Login process are another, so
 * that they can be taken away when its lease lapses; each is written with a few commands for a batch, not one round trip
 * an entry. Readers ask for the leases together with the entries. Every watching process looks for lapsed leases; one
 * of them, chosen by a lock, takes the sessions away and tells all.
 */
class RedisPresence implements Presence {
  readonly #redis: Scripted;
  readonly #subscriber: RedisClient;
  readonly #watchers = new Set<(changes: readonly PresenceChange[]) => void>();
  readonly #timer: NodeJS.Timeout;
  readonly #knownLogins = new Set<string>();
  #subscribed: Promise<unknown> | undefined;
  #closed = false;

  constructor({ addresses, password, sweepMs = limits.presenceSweepMs }: RedisPresenceOptions) {
    const redis = openRedis(addresses, password);
    for (const [name, script] of Object.entries(presenceScripts)) redis.defineCommand(name, script);
    this.#redis = redis as Scripted;
    this.#subscriber = openRedis(addresses, password);
    this.#subscriber.on("message", (_channel: string, text: string) => this.#onMessage(text));
    this.#timer = setInterval(() => {
      if (this.#watchers.size > 0) this.sweep().catch(() => undefined);
    }, sweepMs).unref();
  }

  async renewLease(loginId: string, loginEpoch: number, ttlMs: number): Promise<{ entriesLost: boolean }> {
    const [had] = await Promise.all([
      redisCall(this.#redis.presenceRenew(leaseKey(loginId), loginEpoch, ttlMs)),
      redisCall(this.#redis.sadd(loginsKey, loginId)),
    ]);
    if (had < 0) throw new ChappeError("STALE_OWNER", "The login process has a newer epoch.");
    if (had !== loginEpoch) await this.#forget(loginId, ({ loginEpoch: epoch }) => epoch < loginEpoch);
    return { entriesLost: had === 0 };
  }

  async register(entries: readonly PresenceEntry[]): Promise<void> {
    const logins = byLogin(entries);
    const leases = await this.#leases([...logins.keys()]);
    for (const { loginId, loginEpoch } of entries) {
      const lease = leases.get(loginId);
      if (lease !== undefined && loginEpoch < lease)
        throw new ChappeError("STALE_OWNER", "The login process has a newer epoch.");
      if (lease !== loginEpoch) throw new ChappeError("UNAVAILABLE", "The login process holds no lease.");
    }
    const replaced = await this.#replaced(logins);
    for (const [loginId, list] of logins) {
      const fields = list.flatMap((entry) => [String(entry.connectionId), sessionOf(entry)]);
      await redisCall(this.#redis.hset(sessionsKey(loginId), ...fields));
      await redisCall(this.#redis.pexpire(sessionsKey(loginId), limits.presenceGarbageMs));
    }
    const effects = await Promise.all(
      entries.map((entry) =>
        redisCall(
          this.#redis.presenceAdd(
            userKey(entry.userId),
            fieldOf(entry),
            fieldValueOf(entry) + markOf(entry),
            limits.presenceGarbageMs,
          ),
        ),
      ),
    );
    await this.#tell(changesOf(entries, effects));
    await this.#removeFromUsers(replaced);
  }

  async unregister(entries: readonly PresenceEntry[]): Promise<void> {
    await this.#removeFromUsers(entries);
    for (const [loginId, list] of byLogin(entries)) {
      const key = sessionsKey(loginId);
      const known = await redisCall(this.#redis.hmget(key, ...list.map(({ connectionId }) => String(connectionId))));
      const equal = list.filter((entry, i) => known[i] === sessionOf(entry));
      if (equal.length > 0)
        await redisCall(this.#redis.hdel(key, ...equal.map(({ connectionId }) => String(connectionId))));
    }
  }

  async lookup(userIds: readonly bigint[]): Promise<readonly (readonly PresenceEntry[])[]> {
    if (userIds.length === 0) return [];
    const known = [...this.#knownLogins];
    const [leases, hashes] = await Promise.all([
      this.#leases(known),
      Promise.all(userIds.map((userId) => redisCall(this.#redis.hgetall(userKey(userId))))),
    ]);
    const found = hashes.map((hash, i) =>
      Object.entries(hash).map(([field, value]) => entryOf(userIds[i]!, field, value)),
    );
    const strangers = new Set(found.flat().flatMap(({ loginId }) => (known.includes(loginId) ? [] : [loginId])));
    if (strangers.size > 0) for (const [id, epoch] of await this.#leases([...strangers])) leases.set(id, epoch);
    for (const loginId of strangers) this.#remember(loginId);
    return found.map((entries) => entries.filter(({ loginId, loginEpoch }) => leases.get(loginId) === loginEpoch));
  }

  watch(onChanges: (changes: readonly PresenceChange[]) => void): () => void {
    const watcher = (changes: readonly PresenceChange[]): void => onChanges(changes);
    this.#watchers.add(watcher);
    this.#subscribed ??= this.#subscriber.subscribe(channel).catch(() => {
      this.#subscribed = undefined;
    });
    return () => void this.#watchers.delete(watcher);
  }

  /** Takes away the sessions of Login processes whose lease has lapsed. */
  async sweep(): Promise<void> {
    if (this.#subscribed === undefined) this.#subscribed = this.#subscriber.subscribe(channel).catch(() => undefined);
    const loginIds = await redisCall(this.#redis.smembers(loginsKey));
    const leases = await this.#leases(loginIds);
    for (const loginId of loginIds) {
      if (leases.has(loginId)) continue;
      const lock = await redisCall(
        this.#redis.set(`chappe:sweep:{${loginId}}`, "1", "PX", limits.presenceSweepLockMs, "NX"),
      );
      if (lock === null) continue;
      await this.#forget(loginId, () => true);
      await redisCall(this.#redis.srem(loginsKey, loginId));
      this.#knownLogins.delete(loginId);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#watchers.clear();
    this.#redis.disconnect();
    this.#subscriber.disconnect();
  }

  #remember(loginId: string): void {
    if (this.#knownLogins.size >= limits.maxKnownLogins) this.#knownLogins.clear();
    this.#knownLogins.add(loginId);
  }

  /** Epochs of the Login processes that hold a lease now. */
  async #leases(loginIds: readonly string[]): Promise<Map<string, number>> {
    const epochs = await Promise.all(loginIds.map((loginId) => redisCall(this.#redis.get(leaseKey(loginId)))));
    return new Map(loginIds.flatMap((loginId, i) => (epochs[i] === null ? [] : [[loginId, Number(epochs[i])]])));
  }

  /** Entries that these replace under another user or device. */
  async #replaced(logins: ReadonlyMap<string, readonly PresenceEntry[]>): Promise<PresenceEntry[]> {
    const replaced: PresenceEntry[] = [];
    for (const [loginId, list] of logins) {
      const ids = list.map(({ connectionId }) => String(connectionId));
      const known = await redisCall(this.#redis.hmget(sessionsKey(loginId), ...ids));
      for (const [i, session] of known.entries()) {
        if (session === null || session === undefined) continue;
        const before = entryOfSession(loginId, ids[i]!, session);
        if (before.userId !== list[i]!.userId) replaced.push(before);
      }
    }
    return replaced;
  }

  async #removeFromUsers(entries: readonly PresenceEntry[]): Promise<void> {
    const effects = await Promise.all(
      entries.map((entry) =>
        redisCall(this.#redis.presenceRemove(userKey(entry.userId), fieldOf(entry), fieldValueOf(entry))),
      ),
    );
    await this.#tell(changesOf(entries, effects));
  }

  /** Takes away those sessions of a Login process that `isVoid` names, in batches. */
  async #forget(loginId: string, isVoid: (entry: PresenceEntry) => boolean): Promise<void> {
    const key = sessionsKey(loginId);
    let cursor = "0";
    do {
      const [next, pairs] = await redisCall(this.#redis.hscan(key, cursor, "COUNT", limits.maxSessionsPerBatch));
      cursor = next;
      const entries: PresenceEntry[] = [];
      for (let i = 0; i + 1 < pairs.length; i += 2) entries.push(entryOfSession(loginId, pairs[i]!, pairs[i + 1]!));
      const voided = entries.filter(isVoid);
      await this.#removeFromUsers(voided);
      if (voided.length > 0)
        await redisCall(this.#redis.hdel(key, ...voided.map(({ connectionId }) => String(connectionId))));
    } while (cursor !== "0");
  }

  async #tell(changes: readonly PresenceChange[]): Promise<void> {
    if (changes.length === 0) return;
    const text = changes.map(({ userId, online }) => `${userId}${online ? "+" : "-"}`).join();
    // Watchers are told at most once; what is stored is what counts.
    await this.#redis.publish(channel, text).catch(() => 0);
  }

  #onMessage(text: string): void {
    const changes = text.split(",").map((item) => ({ userId: BigInt(item.slice(0, -1)), online: item.endsWith("+") }));
    for (const watcher of [...this.#watchers]) watcher(changes);
  }
}

/** Presence on one Redis server or a Redis Cluster. */
export function createRedisPresence(options: RedisPresenceOptions): Presence & { sweep(): Promise<void> } {
  return new RedisPresence(options);
}
