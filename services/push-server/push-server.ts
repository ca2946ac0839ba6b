import { decodePushRecord, type PushEntryFields } from "@chappe/mesh/codec/push-record.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { Log, LogConsumer, LogSubscription, PartitionBatch } from "@chappe/mesh/ports/log.ts";
import type { Presence } from "@chappe/mesh/ports/presence.ts";
import type { Delivery } from "@chappe/mesh/rpc/delivery.ts";
import { engineCalls } from "@chappe/mesh/telemetry/engine-calls.ts";
import { type Hops, noHops } from "@chappe/mesh/telemetry/hops.ts";
import { firstContextOf } from "@chappe/mesh/telemetry/trace-context.ts";
import { addDeliveries, targetUsers } from "./resolve.ts";

/** Takes resolved events to Login processes; the signalling PushWorker. */
export interface OnlineDelivery {
  /** Answers the connections that are not there any more. */
  deliver(batches: readonly { loginId: string; deliveries: readonly Delivery[] }[]): Promise<ReadonlySet<bigint>>;
}

/** What createPushServer needs. */
export interface PushServerOptions {
  readonly log: Log;
  readonly presence: Presence;
  readonly membership: MembershipViews;
  readonly worker: OnlineDelivery;
  readonly logger: Logger;
  /** Told of the messages that pass. @default nobody */
  readonly hops?: Hops;
}

/** Figures of a running PushServer. */
export interface PushServerStats {
  readonly entries: number;
  readonly devices: number;
  /** Targets without any device, after Online was asked again. */
  readonly offlineUsers: number;
  /** At-most-once events dropped because too many waited. */
  readonly dropped: number;
  readonly lag: number;
}

/** Decides for each event who is online, and where. */
export interface PushServer {
  /** Subscribes to the push log. */
  start(): Promise<void>;
  /** Takes an at-most-once event; dropped when too many wait. */
  dispatch(entry: PushEntryFields): void;
  stats(): PushServerStats;
  close(): Promise<void>;
}

interface Resolved {
  readonly entry: PushEntryFields;
  readonly users: readonly bigint[];
}

class Server implements PushServer, LogConsumer {
  readonly #options: PushServerOptions;
  readonly #hops: Hops;
  #subscription: LogSubscription | undefined;
  #waiting: PushEntryFields[] = [];
  #dispatching: Promise<void> | undefined;
  #entries = 0;
  #devices = 0;
  #offlineUsers = 0;
  #dropped = 0;

  constructor(options: PushServerOptions) {
    this.#options = options;
    this.#hops = options.hops ?? noHops;
  }

  async start(): Promise<void> {
    this.#subscription = await this.#options.log.subscribe("push", "push-server", this);
  }

  assigned(): Promise<ReadonlyMap<number, number>> {
    return Promise.resolve(new Map());
  }

  revoked(): Promise<void> {
    return Promise.resolve();
  }

  async records(batches: readonly PartitionBatch[]): Promise<void> {
    const entries: PushEntryFields[] = [];
    for (const { partition, entries: records } of batches) {
      for (const { offset, payload } of records) {
        try {
          entries.push(...decodePushRecord(payload));
        } catch (error) {
          // A push repeats what the stores hold; clients find it by comparing heads.
          this.#options.logger.error("push-server.unreadable", { partition, offset, error });
        }
      }
    }
    await this.#options.logger.within(firstContextOf(entries), () => this.#push(entries));
    const next = batches.map(({ partition, entries: records }) => [partition, records.at(-1)!.offset + 1] as const);
    this.#subscription?.commit(new Map(next));
  }

  dispatch(entry: PushEntryFields): void {
    if (this.#waiting.length >= limits.maxPushQueueEntries) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(entry);
    this.#dispatching ??= this.#drain();
  }

  stats(): PushServerStats {
    const lag = this.#subscription?.lag() ?? 0;
    const [entries, devices, offlineUsers, dropped] = [this.#entries, this.#devices, this.#offlineUsers, this.#dropped];
    return { entries, devices, offlineUsers, dropped, lag };
  }

  async close(): Promise<void> {
    await this.#subscription?.close();
    await this.#dispatching;
  }

  async #drain(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const entries = this.#waiting;
      this.#waiting = [];
      await this.#push(entries).catch((error: unknown) => this.#options.logger.warn("push-server.dropped", { error }));
    }
    this.#dispatching = undefined;
  }

  async #push(entries: readonly PushEntryFields[]): Promise<void> {
    const startMs = this.#hops.now();
    const resolved: Resolved[] = [];
    for (const entry of entries) {
      const users = targetUsers(entry, this.#options.membership);
      resolved.push({ entry, users: users instanceof Promise ? await this.#readers(entry, users) : users });
    }
    const missing = await this.#deliver(resolved, startMs);
    this.#entries += entries.length;
    if (missing.size > 0) await this.#again(resolved, missing);
  }

  async #readers(entry: PushEntryFields, users: Promise<readonly bigint[]>): Promise<readonly bigint[]> {
    const startMs = this.#hops.now();
    const readers = await users;
    this.#hops.called(engineCalls.selectReaders, [entry], startMs);
    return readers;
  }

  /** One look-up for all entries, one batch per Login process. Answers connections that were not there. */
  async #deliver(
    resolved: readonly Resolved[],
    startMs: number,
    onlyUsers?: ReadonlySet<bigint>,
  ): Promise<ReadonlySet<bigint>> {
    const { presence, worker } = this.#options;
    const users = resolved.flatMap((item) => item.users);
    const lookUpMs = this.#hops.now();
    const found = await presence.lookup(users);
    this.#hops.called(engineCalls.lookUpPresence, entriesOf(resolved), lookUpMs);
    const byLogin = new Map<string, Delivery[]>();
    let at = 0;
    for (const { entry, users: targets } of resolved) {
      let presences = found.slice(at, at + targets.length);
      if (onlyUsers !== undefined) presences = presences.filter((_, index) => onlyUsers.has(targets[index]!));
      const devices = addDeliveries(byLogin, entry, presences);
      const offline = presences.filter((list) => list.length === 0).length;
      this.#devices += devices;
      this.#offlineUsers += offline;
      if (onlyUsers === undefined) this.#hops.resolved(entry, devices, offline, startMs);
      at += targets.length;
    }
    return worker.deliver([...byLogin].map(([loginId, deliveries]) => ({ loginId, deliveries })));
  }

  /** A connection that was not there is looked up once more before its user counts as offline. */
  async #again(resolved: readonly Resolved[], missing: ReadonlySet<bigint>): Promise<void> {
    const { presence } = this.#options;
    const users = [...new Set(resolved.flatMap((item) => item.users))];
    const now = await presence.lookup(users);
    const moved = new Set(users.filter((_, index) => now[index]!.some((entry) => !missing.has(entry.connectionId))));
    if (moved.size > 0) await this.#deliver(resolved, this.#hops.now(), moved);
  }
}

function* entriesOf(resolved: readonly Resolved[]): Generator<PushEntryFields> {
  for (const { entry } of resolved) yield entry;
}

/** A PushServer; it does nothing until `start`. */
export function createPushServer(options: PushServerOptions): PushServer {
  return new Server(options);
}
