import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Presence, PresenceChange, PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** An engine under test with a clock that the test moves. */
export interface PresenceHarness {
  readonly presence: Presence;
  /** Lets so much time pass for the engine and settles when lapsed leases have had their effect. */
  passMs(ms: number): Promise<void>;
  /** Settles when changes made before have reached watchers. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

const ttlMs = 10_000;

function entryOf(userId: bigint, connectionId: bigint, more: Partial<PresenceEntry> = {}): PresenceEntry {
  return { userId, deviceId: userId * 10n, loginId: "login-a", loginEpoch: 1, connectionId, ...more };
}

/** What every Presence engine must do. */
export function describePresence(name: string, factory: () => Promise<PresenceHarness>): void {
  describe(`${name}: Presence`, () => {
    let harness: PresenceHarness;
    let presence: Presence;
    let changes: PresenceChange[];

    beforeEach(async () => {
      harness = await factory();
      presence = harness.presence;
      changes = [];
      presence.watch((batch) => void changes.push(...batch));
      await presence.renewLease("login-a", 1, ttlMs);
    });
    afterEach(() => harness.close());

    const seen = async (): Promise<PresenceChange[]> => {
      await harness.settled();
      return changes.splice(0);
    };
    const connections = async (...userIds: bigint[]): Promise<bigint[][]> =>
      (await presence.lookup(userIds)).map((entries) => entries.map((entry) => entry.connectionId).sort());

    describeEntries(() => ({ presence, seen, connections }));
    describeLeases(
      () => ({ presence, seen, connections }),
      (ms) => harness.passMs(ms),
    );
  });
}

interface Tools {
  readonly presence: Presence;
  seen(): Promise<PresenceChange[]>;
  connections(...userIds: bigint[]): Promise<bigint[][]>;
}

function describeEntries(tools: () => Tools): void {
  test("lookup answers in the order asked, empty lists for the absent", async () => {
    const { presence, connections } = tools();
    await presence.register([entryOf(1n, 11n), entryOf(2n, 21n), entryOf(1n, 12n)]);
    expect(await connections(2n, 9n, 1n)).toEqual([[21n], [], [11n, 12n]]);
    expect(await presence.lookup([2n])).toEqual([[entryOf(2n, 21n)]]);
    expect(await presence.lookup([])).toEqual([]);
  });

  test("large ids survive whole", async () => {
    const { presence } = tools();
    const entry = entryOf(0x7fff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn, { deviceId: 0xffff_ffff_ffff_fffen });
    await presence.register([entry]);
    expect(await presence.lookup([entry.userId])).toEqual([[entry]]);
  });

  test("registering a connection again replaces it and is no change", async () => {
    const { presence, seen, connections } = tools();
    await presence.register([entryOf(1n, 11n)]);
    await presence.register([entryOf(1n, 11n, { deviceId: 77n })]);
    expect(await connections(1n)).toEqual([[11n]]);
    expect((await presence.lookup([1n]))[0]![0]!.deviceId).toBe(77n);
    expect(await seen()).toEqual([{ userId: 1n, online: true }]);
  });

  test("a connection that changes hands leaves its first user", async () => {
    const { presence, seen, connections } = tools();
    await presence.register([entryOf(1n, 11n)]);
    await presence.register([entryOf(2n, 11n)]);
    expect(await connections(1n, 2n)).toEqual([[], [11n]]);
    expect(await seen()).toEqual(
      expect.arrayContaining([
        { userId: 1n, online: false },
        { userId: 2n, online: true },
      ]),
    );
  });

  test("unregister compares every field", async () => {
    const { presence, seen, connections } = tools();
    await presence.register([entryOf(1n, 11n)]);
    const others: Partial<PresenceEntry>[] = [
      { userId: 2n },
      { deviceId: 99n },
      { loginId: "login-b" },
      { loginEpoch: 2 },
      { connectionId: 12n },
    ];
    for (const other of others) await presence.unregister([entryOf(1n, 11n, other)]);
    expect(await connections(1n)).toEqual([[11n]]);
    await presence.unregister([entryOf(1n, 11n), entryOf(5n, 51n)]);
    expect(await connections(1n)).toEqual([[]]);
    expect(await seen()).toEqual([
      { userId: 1n, online: true },
      { userId: 1n, online: false },
    ]);
  });

  test("watch names only the first entry and the last", async () => {
    const { presence, seen } = tools();
    await presence.register([entryOf(1n, 11n), entryOf(1n, 12n)]);
    await presence.unregister([entryOf(1n, 11n)]);
    expect(await seen()).toEqual([{ userId: 1n, online: true }]);
    await presence.unregister([entryOf(1n, 12n)]);
    expect(await seen()).toEqual([{ userId: 1n, online: false }]);
  });

  test("an invisible entry is found and makes nobody online; hiding and showing are changes", async () => {
    const { presence, seen } = tools();
    const hidden = entryOf(1n, 11n, { invisible: true });
    await presence.register([hidden, entryOf(2n, 21n)]);
    expect(await presence.lookup([1n, 2n])).toEqual([[hidden], [entryOf(2n, 21n)]]);
    expect(await seen()).toEqual([{ userId: 2n, online: true }]);
    await presence.register([entryOf(1n, 11n)]);
    expect(await seen()).toEqual([{ userId: 1n, online: true }]);
    await presence.register([hidden]);
    await presence.register([hidden]);
    expect(await presence.lookup([1n])).toEqual([[hidden]]);
    expect(await seen()).toEqual([{ userId: 1n, online: false }]);
    await presence.unregister([entryOf(1n, 11n)]);
    expect(await presence.lookup([1n])).toEqual([[]]);
    expect(await seen()).toEqual([]);
  });

  test("a user is online while one entry is visible", async () => {
    const { presence, seen } = tools();
    await presence.register([entryOf(1n, 11n, { invisible: true }), entryOf(1n, 12n)]);
    expect(await seen()).toEqual([{ userId: 1n, online: true }]);
    await presence.unregister([entryOf(1n, 11n, { invisible: true })]);
    await presence.register([entryOf(1n, 13n), entryOf(1n, 12n, { invisible: true })]);
    expect(await seen()).toEqual([]);
    await presence.unregister([entryOf(1n, 13n)]);
    expect(await seen()).toEqual([{ userId: 1n, online: false }]);
    expect((await presence.lookup([1n]))[0]).toHaveLength(1);
  });

  test("a watcher that left hears nothing, the others go on", async () => {
    const { presence, seen } = tools();
    const heard: PresenceChange[] = [];
    const leave = presence.watch((batch) => void heard.push(...batch));
    leave();
    await presence.register([entryOf(1n, 11n)]);
    expect(await seen()).toHaveLength(1);
    expect(heard).toEqual([]);
  });
}

function describeLeases(tools: () => Tools, passMs: (ms: number) => Promise<void>): void {
  test("entries live as long as the lease is renewed", async () => {
    const { presence, seen, connections } = tools();
    await presence.register([entryOf(1n, 11n)]);
    await passMs(ttlMs - 1_000);
    await presence.renewLease("login-a", 1, ttlMs);
    await passMs(ttlMs - 1_000);
    expect(await connections(1n)).toEqual([[11n]]);
    await seen();
    await passMs(2_000);
    expect(await connections(1n)).toEqual([[]]);
    expect(await seen()).toEqual([{ userId: 1n, online: false }]);
  });

  test("a lapsed lease hurts its own process only", async () => {
    const { presence, connections, seen } = tools();
    await presence.renewLease("login-b", 5, ttlMs * 3);
    await presence.register([entryOf(1n, 11n), entryOf(2n, 21n)]);
    await presence.register([entryOf(1n, 11n, { loginId: "login-b", loginEpoch: 5 })]);
    await seen();
    await passMs(ttlMs + 1_000);
    expect(await connections(1n, 2n)).toEqual([[11n], []]);
    expect(await seen()).toEqual([{ userId: 2n, online: false }]);
  });

  test("a lapsed lease can be taken again and entries announced again", async () => {
    const { presence, connections } = tools();
    await presence.register([entryOf(1n, 11n)]);
    await passMs(ttlMs + 1_000);
    await presence.renewLease("login-a", 1, ttlMs);
    await presence.register([entryOf(1n, 11n)]);
    expect(await connections(1n)).toEqual([[11n]]);
  });

  test("an invisible entry goes with its lease, and nobody hears of it", async () => {
    const { presence, seen, connections } = tools();
    await presence.register([entryOf(1n, 11n, { invisible: true })]);
    await passMs(ttlMs + 1_000);
    expect(await connections(1n)).toEqual([[]]);
    expect(await seen()).toEqual([]);
  });

  test("a newer epoch voids the entries of the older one", async () => {
    const { presence, connections, seen } = tools();
    await presence.register([entryOf(1n, 11n), entryOf(2n, 21n)]);
    await presence.renewLease("login-a", 2, ttlMs);
    expect(await connections(1n, 2n)).toEqual([[], []]);
    await presence.register([entryOf(1n, 11n, { loginEpoch: 2 })]);
    await presence.unregister([entryOf(1n, 11n)]);
    expect(await connections(1n, 2n)).toEqual([[11n], []]);
    await seen();
  });

  test("an older epoch can neither renew nor register", async () => {
    const { presence, connections } = tools();
    await presence.renewLease("login-a", 3, ttlMs);
    await expect(presence.renewLease("login-a", 2, ttlMs)).rejects.toSatisfy((e) => ChappeError.is(e, "STALE_OWNER"));
    await expect(presence.register([entryOf(1n, 11n, { loginEpoch: 2 })])).rejects.toSatisfy((e) =>
      ChappeError.is(e, "STALE_OWNER"),
    );
    expect(await connections(1n)).toEqual([[]]);
  });

  test("registering without a lease is refused whole", async () => {
    const { presence, connections } = tools();
    const batch = [entryOf(1n, 11n), entryOf(2n, 21n, { loginId: "login-z" })];
    await expect(presence.register(batch)).rejects.toSatisfy((e) => ChappeError.is(e, "UNAVAILABLE"));
    expect(await connections(1n, 2n)).toEqual([[], []]);
  });
}
