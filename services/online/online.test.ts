import { create, fromBinary } from "@bufbuild/protobuf";
import { PresenceChangedSchema, PresenceService } from "@chappe/gen/proto/chappe/online/v1/presence_service_pb.ts";
import { createMemoryPresence } from "@chappe/mesh/engines/memory-presence/memory-presence.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Presence, PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import type { Delivery } from "@chappe/mesh/rpc/delivery.ts";
import { type Identity, identityKey } from "@chappe/mesh/rpc/identity.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import { createContextValues, createHandlerContext } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createOnline, type Online } from "./online.ts";

const entryOf = (userId: bigint, connectionId: bigint): PresenceEntry => ({
  userId,
  deviceId: userId * 10n,
  loginId: "login-a",
  loginEpoch: 7,
  connectionId,
});

/** The engine, with the batches of register calls written down. */
function recorded(presence: Presence, batches: bigint[][]): Presence {
  return {
    renewLease: (loginId, loginEpoch, ttlMs) => presence.renewLease(loginId, loginEpoch, ttlMs),
    async register(entries) {
      batches.push(entries.map((entry) => entry.connectionId));
      // A call to another process takes turns of the loop; that is when a batch fills.
      await new Promise((resolve) => setImmediate(resolve));
      await presence.register(entries);
    },
    unregister: (entries) => presence.unregister(entries),
    lookup: (userIds) => presence.lookup(userIds),
    watch: (onChanges) => presence.watch(onChanges),
    close: () => presence.close(),
  };
}

describe("Online", () => {
  let clockMs: number;
  let wheel: TimerWheel;
  let presence: Presence;
  let online: Online;
  let batches: bigint[][];
  let sent: Delivery[];
  let gone: bigint[];

  beforeEach(() => {
    clockMs = 0;
    batches = [];
    sent = [];
    gone = [];
    wheel = new TimerWheel({ now: () => clockMs, automatic: false });
    presence = createMemoryPresence({ wheel });
    const sink = {
      async deliver(deliveries: readonly Delivery[]) {
        sent.push(...deliveries);
        return gone;
      },
    };
    online = createOnline({
      presence: recorded(presence, batches),
      sinks: { sink: (loginId) => (loginId === "login-a" ? sink : undefined) },
      loginId: "login-a",
      loginEpoch: 7,
      wheel,
    });
  });
  afterEach(async () => {
    await online.close();
    await presence.close();
  });

  const turns = async (count = 6): Promise<void> => {
    for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  const passMs = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      clockMs += Math.min(1_000, ms - passed);
      wheel.advance();
      await turns();
    }
  };
  const isOnline = async (userId: bigint): Promise<boolean> => (await presence.lookup([userId]))[0]!.length > 0;
  const context = (identity: Partial<Identity>) =>
    createHandlerContext({
      service: PresenceService,
      method: PresenceService.method.watchPresence,
      protocolName: "test",
      requestMethod: "POST",
      url: "http://test",
      contextValues: createContextValues().set(identityKey, {
        kind: "user",
        userId: 1n,
        sessionId: 1n,
        deviceId: 1n,
        ...identity,
      }),
    });
  const watch = (connectionId: bigint, userIds: bigint[]) =>
    online.presenceService.watchPresence(
      create(PresenceService.method.watchPresence.input, { userIds }),
      context({ userId: connectionId / 11n, connection: { loginId: "login-a", connectionId } }),
    );
  const seen = () =>
    sent.splice(0).map((delivery) => ({
      to: delivery.connectionIds,
      presences: fromBinary(PresenceChangedSchema, delivery.payload).presences.map((p) => [p.userId, p.online]),
    }));

  test("an entry is seen by lookups once register has settled", async () => {
    await online.register(entryOf(1n, 11n));
    expect(await isOnline(1n)).toBe(true);
    await online.unregister(entryOf(1n, 11n));
    expect(await isOnline(1n)).toBe(false);
  });

  test("what arrives while a call is in flight goes as one batch", async () => {
    const first = online.register(entryOf(1n, 11n));
    await turns(1);
    const rest = [2n, 3n, 4n].map((user) => online.register(entryOf(user, user * 11n)));
    await Promise.all([first, ...rest]);
    expect(batches).toEqual([[11n], [22n, 33n, 44n]]);
  });

  test("an entry that comes and goes in one turn ends up gone", async () => {
    const registered = online.register(entryOf(1n, 11n));
    const unregistered = online.unregister(entryOf(1n, 11n));
    await Promise.all([registered, unregistered]);
    expect(await isOnline(1n)).toBe(false);
  });

  test("the lease is renewed, and the table announced again after a lapse", async () => {
    await online.register(entryOf(1n, 11n));
    await passMs(60_000);
    expect(await isOnline(1n)).toBe(true);
    clockMs += 30_000; // The process slept: the wheel did not turn.
    wheel.advance();
    await turns();
    expect(await isOnline(1n)).toBe(true);
  });

  test("a refused registration is not announced later", async () => {
    await presence.renewLease("login-a", 9, 10_000);
    await expect(online.register(entryOf(1n, 11n))).rejects.toSatisfy((e) => ChappeError.is(e, "STALE_OWNER"));
    batches.length = 0;
    clockMs += 600_000;
    wheel.advance();
    await turns();
    expect(batches).toEqual([]);
  });

  test("a watching connection gets the state now, then changes, coalesced to the newest", async () => {
    await online.register(entryOf(1n, 11n));
    await online.register(entryOf(2n, 21n));
    const { presences } = await watch(11n, [2n, 3n]);
    expect(presences).toEqual([
      { userId: 2n, online: true },
      { userId: 3n, online: false },
    ]);
    await online.unregister(entryOf(2n, 21n));
    await online.register(entryOf(2n, 22n));
    await online.register(entryOf(3n, 31n));
    expect(seen()).toEqual([]);
    await passMs(300);
    expect(seen()).toEqual([
      {
        to: [11n],
        presences: [
          [2n, true],
          [3n, true],
        ],
      },
    ]);
  });

  test("watchers of the same change share one event; others hear nothing", async () => {
    for (const user of [1n, 2n, 3n]) await online.register(entryOf(user, user * 11n));
    await watch(11n, [9n]);
    await watch(22n, [9n]);
    await watch(33n, [8n]);
    await online.register(entryOf(9n, 99n));
    await passMs(300);
    expect(seen()).toEqual([{ to: [11n, 22n], presences: [[9n, true]] }]);
  });

  test("watches end with the connection, with an empty list and when a push finds it gone", async () => {
    for (const user of [1n, 2n, 3n]) await online.register(entryOf(user, user * 11n));
    for (const user of [1n, 2n, 3n]) await watch(user * 11n, [9n, 8n]);
    expect(online.watches).toBe(6);
    await online.unregister(entryOf(1n, 11n));
    await watch(22n, []);
    expect(online.watches).toBe(2);
    gone = [33n];
    await online.register(entryOf(9n, 99n));
    await passMs(300);
    expect(seen()).toEqual([{ to: [33n], presences: [[9n, true]] }]);
    expect(online.watches).toBe(0);
  });

  test("an invisible session is no presence for others, and watches as any other does", async () => {
    await online.register({ ...entryOf(1n, 11n), invisible: true });
    await online.register(entryOf(2n, 22n));
    expect((await watch(11n, [1n, 2n])).presences?.map((one) => one.online)).toEqual([false, true]);
    await watch(22n, [1n]);
    await online.register(entryOf(1n, 11n));
    await passMs(300);
    expect(seen()).toEqual([{ to: [11n, 22n], presences: [[1n, true]] }]);
    await online.register({ ...entryOf(1n, 11n), invisible: true });
    await passMs(300);
    expect(seen()).toEqual([{ to: [11n, 22n], presences: [[1n, false]] }]);
    await online.unregister(entryOf(1n, 11n));
    await passMs(300);
    expect(seen()).toEqual([]);
  });

  test("a session that could not be hidden is announced as it was", async () => {
    await online.register(entryOf(1n, 11n));
    const { register } = presence;
    presence.register = () => Promise.reject(new ChappeError("UNAVAILABLE"));
    const hidden: PresenceEntry = { ...entryOf(1n, 11n), invisible: true };
    await expect(online.register(hidden)).rejects.toSatisfy((e) => ChappeError.is(e, "UNAVAILABLE"));
    presence.register = register.bind(presence);
    batches.length = 0;
    clockMs += 600_000;
    wheel.advance();
    await turns();
    expect(batches).toEqual([[11n]]);
  });

  test("watching needs a long connection that is still here", async () => {
    const request = create(PresenceService.method.watchPresence.input, { userIds: [2n] });
    await expect(online.presenceService.watchPresence(request, context({}))).rejects.toSatisfy((e) =>
      ChappeError.is(e, "NEEDS_LONG_CONNECTION"),
    );
    await expect(watch(12345n, [2n])).rejects.toSatisfy((e) => ChappeError.is(e, "CANCELLED"));
    expect(online.watches).toBe(0);
  });

  test("getPresence answers in the order of the request", async () => {
    await online.register(entryOf(2n, 21n));
    const request = create(PresenceService.method.getPresence.input, { userIds: [3n, 2n] });
    expect(await online.presenceService.getPresence(request, context({}))).toEqual({
      presences: [
        { userId: 3n, online: false },
        { userId: 2n, online: true },
      ],
    });
  });
});
