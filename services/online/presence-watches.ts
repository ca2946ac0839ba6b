import { create, toBinary } from "@bufbuild/protobuf";
import { PresenceChangedSchema } from "@chappe/gen/proto/chappe/online/v1/presence_service_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { PresenceChange } from "@chappe/mesh/ports/presence.ts";
import type { Delivery, DeliverySinks } from "@chappe/mesh/rpc/delivery.ts";
import { eventAddress } from "@chappe/mesh/rpc/event-address.ts";
import { type TimerWheel, WheelTimer } from "@chappe/mesh/timers/timer-wheel.ts";

const presenceChanged = eventAddress(PresenceChangedSchema);

/** A long connection, wherever it is. */
export interface ConnectionAddress {
  readonly loginId: string;
  readonly connectionId: bigint;
}

interface Watcher extends ConnectionAddress {
  readonly userIds: ReadonlySet<bigint>;
}

const keyOf = (connection: ConnectionAddress): string => `${connection.connectionId}@${connection.loginId}`;

/**
 * Who watches whom. Changes are collected for a moment; each watcher then gets one event with the newest state of
 * each user. As a timer it is its own next flush: none waits while nothing changes.
 */
export class PresenceWatches extends WheelTimer {
  readonly #sinks: DeliverySinks;
  readonly #wheel: TimerWheel;
  readonly #flushMs: number;
  readonly #watchers = new Map<string, Watcher>();
  readonly #watchersOf = new Map<bigint, Set<Watcher>>();
  readonly #pending = new Map<bigint, boolean>();
  #watches = 0;

  constructor(sinks: DeliverySinks, wheel: TimerWheel, flushMs: number) {
    super();
    this.#sinks = sinks;
    this.#wheel = wheel;
    this.#flushMs = flushMs;
  }

  /** Watched users of all connections together. */
  get watches(): number {
    return this.#watches;
  }

  /** Replaces the set of a connection; empty = none. OVERLOADED when all sets together are full. */
  replace(connection: ConnectionAddress, userIds: readonly bigint[]): void {
    const wanted = new Set(userIds);
    const before = this.#watchers.get(keyOf(connection))?.userIds.size ?? 0;
    if (wanted.size > limits.maxWatchedUsersPerConnection)
      throw new ChappeError("INVALID_ARGUMENT", undefined, {
        violations: [{ field: "user_ids", rule: "repeated.max_items", message: "too many users" }],
      });
    if (this.#watches - before + wanted.size > limits.maxPresenceWatches)
      throw new ChappeError("OVERLOADED", "Too many users are watched.");
    this.remove(connection);
    if (wanted.size === 0) return;
    const watcher: Watcher = { ...connection, userIds: wanted };
    this.#watchers.set(keyOf(connection), watcher);
    this.#watches += wanted.size;
    for (const userId of wanted) {
      const watchers = this.#watchersOf.get(userId);
      if (watchers === undefined) this.#watchersOf.set(userId, new Set([watcher]));
      else watchers.add(watcher);
    }
  }

  /** Forgets a connection. */
  remove(connection: ConnectionAddress): void {
    const watcher = this.#watchers.get(keyOf(connection));
    if (watcher === undefined) return;
    this.#watchers.delete(keyOf(connection));
    this.#watches -= watcher.userIds.size;
    for (const userId of watcher.userIds) {
      const watchers = this.#watchersOf.get(userId)!;
      watchers.delete(watcher);
      if (watchers.size === 0) this.#watchersOf.delete(userId);
    }
  }

  /** Takes changes in; they go out within the flush time. */
  onChanges(changes: readonly PresenceChange[]): void {
    for (const change of changes)
      if (this.#watchersOf.has(change.userId)) this.#pending.set(change.userId, change.online);
    if (this.#pending.size > 0 && this.wheelSlot < 0) this.#wheel.schedule(this, this.#flushMs);
  }

  override onTimer(): void {
    const changesOf = new Map<Watcher, [bigint, boolean][]>();
    for (const change of this.#pending) {
      for (const watcher of this.#watchersOf.get(change[0]) ?? []) {
        const changes = changesOf.get(watcher);
        if (changes === undefined) changesOf.set(watcher, [change]);
        else changes.push(change);
      }
    }
    this.#pending.clear();
    for (const [loginId, deliveries] of deliveriesByLogin(changesOf)) void this.#deliver(loginId, deliveries);
  }

  /** Drops everything. */
  close(): void {
    this.#wheel.cancel(this);
    this.#pending.clear();
    this.#watchers.clear();
    this.#watchersOf.clear();
    this.#watches = 0;
  }

  async #deliver(loginId: string, deliveries: readonly Delivery[]): Promise<void> {
    const sink = this.#sinks.sink(loginId);
    // Presence is at most once: a Login out of reach has lost its connections or will be asked again at the next change.
    const gone =
      sink === undefined
        ? deliveries.flatMap((delivery) => delivery.connectionIds)
        : await sink.deliver(deliveries).catch((): readonly bigint[] => []);
    for (const connectionId of gone) this.remove({ loginId, connectionId });
  }
}

/** Watchers that see the same changes share one delivery, and so one encoded event. */
function deliveriesByLogin(changesOf: ReadonlyMap<Watcher, [bigint, boolean][]>): Map<string, Delivery[]> {
  const groups = new Map<string, { changes: [bigint, boolean][]; connectionIds: Map<string, bigint[]> }>();
  for (const [watcher, changes] of changesOf) {
    const signature = changes.map(([userId, online]) => `${userId}${online ? "+" : "-"}`).join();
    const group = groups.get(signature) ?? { changes, connectionIds: new Map<string, bigint[]>() };
    groups.set(signature, group);
    const connectionIds = group.connectionIds.get(watcher.loginId);
    if (connectionIds === undefined) group.connectionIds.set(watcher.loginId, [watcher.connectionId]);
    else connectionIds.push(watcher.connectionId);
  }
  const byLogin = new Map<string, Delivery[]>();
  for (const { changes, connectionIds } of groups.values()) {
    const presences = changes.map(([userId, online]) => ({ userId, online }));
    const payload = toBinary(PresenceChangedSchema, create(PresenceChangedSchema, { presences }));
    for (const [loginId, ids] of connectionIds) {
      const delivery: Delivery = { connectionIds: ids, ...presenceChanged, payload };
      const deliveries = byLogin.get(loginId);
      if (deliveries === undefined) byLogin.set(loginId, [delivery]);
      else deliveries.push(delivery);
    }
  }
  return byLogin;
}
