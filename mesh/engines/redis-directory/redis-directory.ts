import { randomBytes } from "node:crypto";
import { limits } from "../../limits.ts";
import type { Directory, DirectoryEntry } from "../../ports/directory.ts";
import { openRedis, type RedisClient, redisCall } from "../redis/open-redis.ts";

/** What createRedisDirectory needs. */
export interface RedisDirectoryOptions {
  /** "host:port" each; more than one = a cluster. */
  readonly addresses: readonly string[];
  readonly password?: string;
  /** An entry of a process that died stays so long. @default limits.directoryTtlMs */
  readonly ttlMs?: number;
}

interface Watch {
  readonly role: string;
  readonly onEntries: (entries: readonly DirectoryEntry[]) => void;
  last: string | undefined;
}

interface Registration {
  readonly entry: DirectoryEntry;
  readonly token: string;
}

const channel = "chappe:directory";
const entriesKey = (role: string): string => `chappe:directory:{${role}}`;
const expiriesKey = (role: string): string => `chappe:directory-expiries:{${role}}`;

const registerLua = `
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local now = redis.call('TIME')
redis.call('ZADD', KEYS[2], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[3], ARGV[1])`;
const renewLua = `
local now = redis.call('TIME')
local untilMs = now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[3]
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known and known ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], untilMs, ARGV[1])
return known and 0 or 1`;
const removeLua = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1`;
const listLua = `
local now = redis.call('TIME')
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now[1] * 1000 + math.floor(now[2] / 1000))
if #gone > 0 then
  redis.call('HDEL', KEYS[1], unpack(gone))
  redis.call('ZREM', KEYS[2], unpack(gone))
end
return redis.call('HGETALL', KEYS[1])`;

type Command = (...args: (string | number)[]) => Promise<unknown>;
type Scripted = RedisClient &
  Record<"directoryRegister" | "directoryRenew" | "directoryRemove" | "directoryList", Command>;

const entryValueOf = ({ entry, token }: Registration): string => JSON.stringify([entry.address, token]);

/**
 * Directory in Redis. Entries are leases by Redis's own clock, renewed by the process that made them; watchers are told
 * by a message and look again every now and then. While Redis is away the last lists stand.
 */
class RedisDirectory implements Directory {
  readonly #redis: Scripted;
  readonly #subscriber: RedisClient;
  readonly #ttlMs: number;
  readonly #watches = new Set<Watch>();
  readonly #registrations = new Set<Registration>();
  readonly #timer: NodeJS.Timeout;
  #subscribed = false;

  constructor({ addresses, password, ttlMs = limits.directoryTtlMs }: RedisDirectoryOptions) {
    this.#ttlMs = ttlMs;
    const redis = openRedis(addresses, password);
    redis.defineCommand("directoryRegister", { numberOfKeys: 2, lua: registerLua });
    redis.defineCommand("directoryRenew", { numberOfKeys: 2, lua: renewLua });
    redis.defineCommand("directoryRemove", { numberOfKeys: 2, lua: removeLua });
    redis.defineCommand("directoryList", { numberOfKeys: 2, lua: listLua });
    this.#redis = redis as Scripted;
    this.#subscriber = openRedis(addresses, password);
    this.#subscriber.on("message", (_channel: string, role: string) => this.#look(role));
    this.#timer = setInterval(() => this.#onTick(), ttlMs / 3);
  }

  async register(entry: DirectoryEntry): Promise<() => Promise<void>> {
    const registration = { entry, token: randomBytes(6).toString("hex") };
    for (const older of this.#registrations)
      if (older.entry.role === entry.role && older.entry.id === entry.id) this.#registrations.delete(older);
    await redisCall(this.#redis.directoryRegister(...this.#args(registration), this.#ttlMs));
    this.#registrations.add(registration);
    await this.#tell(entry.role);
    return async () => {
      if (!this.#registrations.delete(registration)) return;
      await redisCall(this.#redis.directoryRemove(...this.#args(registration)));
      await this.#tell(entry.role);
    };
  }

  async list(role: string): Promise<readonly DirectoryEntry[]> {
    const pairs = (await redisCall(this.#redis.directoryList(entriesKey(role), expiriesKey(role)))) as string[];
    const entries: DirectoryEntry[] = [];
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const [address] = JSON.parse(pairs[i + 1]!) as [string, string];
      entries.push({ role, id: pairs[i]!, address });
    }
    return entries.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  watch(role: string, onEntries: (entries: readonly DirectoryEntry[]) => void): () => void {
    const watch: Watch = { role, onEntries, last: undefined };
    this.#watches.add(watch);
    this.#subscribe();
    this.#look(role);
    return () => void this.#watches.delete(watch);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#watches.clear();
    await Promise.allSettled(
      [...this.#registrations].map((registration) => this.#redis.directoryRemove(...this.#args(registration))),
    );
    this.#registrations.clear();
    this.#redis.disconnect();
    this.#subscriber.disconnect();
  }

  #args(registration: Registration): [string, string, string, string] {
    const { role, id } = registration.entry;
    return [entriesKey(role), expiriesKey(role), id, entryValueOf(registration)];
  }

  #subscribe(): void {
    if (this.#subscribed) return;
    this.#subscribed = true;
    this.#subscriber.subscribe(channel).catch(() => {
      this.#subscribed = false;
    });
  }

  async #tell(role: string): Promise<void> {
    await this.#redis.publish(channel, role).catch(() => 0);
  }

  #onTick(): void {
    for (const registration of this.#registrations) {
      this.#redis.directoryRenew(...this.#args(registration), this.#ttlMs).then(
        (isNew) => (isNew === 1 ? this.#tell(registration.entry.role) : undefined),
        () => undefined,
      );
    }
    if (this.#watches.size > 0) this.#subscribe();
    for (const role of new Set([...this.#watches].map((watch) => watch.role))) this.#look(role);
  }

  #look(role: string): void {
    const watches = [...this.#watches].filter((watch) => watch.role === role);
    if (watches.length === 0) return;
    this.list(role).then(
      (entries) => {
        const now = JSON.stringify(entries);
        for (const watch of watches) {
          if (watch.last === now || !this.#watches.has(watch)) continue;
          watch.last = now;
          watch.onEntries(entries);
        }
      },
      () => undefined,
    );
  }
}

/** Directory on one Redis server or a Redis Cluster. */
export function createRedisDirectory(options: RedisDirectoryOptions): Directory {
  return new RedisDirectory(options);
}
