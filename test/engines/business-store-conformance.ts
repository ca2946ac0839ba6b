import { fromBinary } from "@bufbuild/protobuf";
import { conversationOf } from "@chappe/bench/support/store-kit.ts";
import { ChangeSchema } from "@chappe/gen/proto/chappe/mesh/v1/change_pb.ts";
import type { BusinessStore, NewUser, SessionRow, UserRow } from "@chappe/mesh/ports/business-store.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** One store's data, for one test. */
export interface BusinessHarness {
  open(): Promise<BusinessStore>;
  readonly keeps: boolean;
  destroy(): Promise<void>;
}

interface Bench {
  harness: BusinessHarness;
  store: BusinessStore;
}

const large = (1n << 62n) + 12_345n;
const user = (userId: bigint, name: string): NewUser => ({
  userId,
  name,
  displayName: `${name} é`,
  passwordHash: "$argon2id$x",
  sessionVersion: 1,
});
const stored = (userId: bigint, name: string): UserRow => ({ ...user(userId, name), profileVersion: 1 });
const session = (sessionId: bigint, userId: bigint, hash: number): SessionRow => ({
  sessionId,
  userId,
  refreshHash: new Uint8Array(32).fill(hash),
  expiresTimeMs: 5_000,
});
const sameRow = (row: object) => expect.objectContaining(row);

/** The suite that every engine of the BusinessStore port passes. */
export function describeBusinessStore(name: string, createHarness: () => Promise<BusinessHarness>): void {
  describe(`business store: ${name}`, () => {
    const bench = {} as Bench;
    beforeEach(async () => {
      bench.harness = await createHarness();
      bench.store = await bench.harness.open();
    });
    afterEach(async () => {
      await bench.store.close();
      await bench.harness.destroy();
    });
    describe("users", () => userTests(bench));
    describe("sessions", () => sessionTests(bench));
    describe("cursors", () => cursorTests(bench));
    describe("the outbox", () => outboxTests(bench));
    describe("groups, secrets, reopening", () => otherTests(bench));
  });
}

function userTests(bench: Bench): void {
  test("are found by id and by name; unknown ones are left out", async () => {
    const { store } = bench;
    await store.insertUser(user(large, "ann"));
    await store.insertUser(user(2n, "ben"));
    expect(await store.usersById([2n, 99n, large])).toHaveLength(2);
    expect(await store.usersById([large])).toEqual([stored(large, "ann")]);
    expect(await store.usersByName(["ben", "nobody"])).toEqual([stored(2n, "ben")]);
    expect(await store.usersById([])).toEqual([]);
  });

  test("a name or an id that is taken is refused, and the first stays", async () => {
    const { store } = bench;
    await store.insertUser(user(1n, "ann"));
    const taken = { row: { name: "ALREADY_EXISTS" } };
    await expect(store.insertUser(user(2n, "ann"))).rejects.toMatchObject(taken);
    await expect(store.insertUser(user(1n, "cy"))).rejects.toMatchObject(taken);
    expect(await store.usersById([1n, 2n])).toEqual([stored(1n, "ann")]);
    expect(await store.usersByName(["cy"])).toEqual([]);
  });

  test("of two at once with one name exactly one is taken", async () => {
    const { store } = bench;
    const tries = [1n, 2n, 3n, 4n].map((id) => store.insertUser(user(id, "ann")));
    const settled = await Promise.allSettled(tries);
    expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await store.usersById([1n, 2n, 3n, 4n])).toHaveLength(1);
  });
}

function sessionTests(bench: Bench): void {
  test("raising the version ends that user's sessions only", async () => {
    const { store } = bench;
    await store.insertUser(user(1n, "ann"));
    await store.insertUser(user(2n, "ben"));
    await store.insertSession(session(10n, 1n, 1));
    await store.insertSession(session(large, 1n, 2));
    await store.insertSession(session(20n, 2n, 3));
    expect(await store.raiseSessionVersion(1n)).toBe(2);
    expect(await store.raiseSessionVersion(1n)).toBe(3);
    expect(await store.session(10n)).toBeUndefined();
    expect(await store.session(large)).toBeUndefined();
    expect(await store.session(20n)).toEqual(sameRow({ userId: 2n }));
    expect((await store.usersById([1n]))[0]?.sessionVersion).toBe(3);
    await expect(store.raiseSessionVersion(9n)).rejects.toMatchObject({ row: { name: "NOT_FOUND" } });
  });

  test("a refresh swaps the hash once: the used one is refused", async () => {
    const { store } = bench;
    await store.insertSession(session(10n, 1n, 1));
    const next = { ...session(10n, 1n, 2), expiresTimeMs: 9_000 };
    const first = session(10n, 1n, 1).refreshHash;
    const tries = await Promise.all([1, 2, 3].map(() => store.rotateSession(10n, first, next)));
    expect(tries.filter((done) => done)).toHaveLength(1);
    const swapped = await store.session(10n);
    expect(Buffer.compare(swapped!.refreshHash, next.refreshHash)).toBe(0);
    expect(swapped!.expiresTimeMs).toBe(9_000);
    expect(await store.rotateSession(11n, first, next)).toBe(false);
  });

  test("a deleted session is gone, and deleting again does nothing", async () => {
    const { store } = bench;
    await store.insertSession(session(10n, 1n, 1));
    await store.deleteSession(10n);
    await store.deleteSession(10n);
    expect(await store.session(10n)).toBeUndefined();
  });
}

/** What waits in the outbox, as "kind version ...". */
async function waiting({ store }: Bench): Promise<readonly string[]> {
  const rows = await store.outbox(100);
  const ids = rows.map(({ id }) => id);
  expect(ids.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(ids);
  return rows.map(({ body }) => {
    const { version, what } = fromBinary(ChangeSchema, body);
    const value = what.value as unknown as Readonly<Record<string, unknown>>;
    const { userId = "", sessionId = "", displayName = "", title = "" } = value;
    return `${what.case} ${version} ${[userId, sessionId, displayName, title].join(" ").trim()}`;
  });
}

function outboxTests(bench: Bench): void {
  test("has a row for each session that ends and each version that is raised, and for nothing else", async () => {
    const { store } = bench;
    await store.insertUser(user(1n, "ann"));
    for (const id of [10n, 11n, large]) await store.insertSession(session(id, 1n, 1));
    expect(await waiting(bench)).toEqual([]);
    await store.deleteSession(large);
    await store.deleteSession(large);
    await store.deleteSession(99n);
    await store.raiseSessionVersion(1n);
    await expect(store.raiseSessionVersion(9n)).rejects.toThrow();
    expect(await waiting(bench)).toEqual([`endedSession 1 1 ${large}`, "raisedSessions 2 1"]);
  });

  test("has a row for each change of a profile, with its version; what changes nothing adds none", async () => {
    const { store } = bench;
    const conversationId = conversationOf(1);
    await store.insertUser(user(1n, "ann"));
    await store.insertGroup({ conversationId, title: "old", ownerId: 1n, createdTimeMs: 7 });
    expect(await store.updateProfile(1n, { displayName: "Ann é" })).toEqual(
      sameRow({ displayName: "Ann é", profileVersion: 2, name: "ann" }),
    );
    expect((await store.updateProfile(1n, { displayName: "Ann é" })).profileVersion).toBe(2);
    expect(await store.updateGroup(conversationId, { title: "new" })).toEqual(
      sameRow({ title: "new", version: 2, ownerId: 1n, createdTimeMs: 7 }),
    );
    expect((await store.updateGroup(conversationId, { title: "new" })).version).toBe(2);
    const missing = { row: { name: "NOT_FOUND" } };
    await expect(store.updateProfile(9n, { displayName: "x" })).rejects.toMatchObject(missing);
    await expect(store.updateGroup(conversationOf(9), { title: "x" })).rejects.toMatchObject(missing);
    expect(await waiting(bench)).toEqual(["userProfile 2 1  Ann é", "groupProfile 2 new"]);
    expect((await store.usersById([1n]))[0]).toEqual(sameRow({ displayName: "Ann é", profileVersion: 2 }));
    expect((await store.groups([conversationId]))[0]).toEqual(sameRow({ title: "new", version: 2 }));
  });

  test("of changes at once each gets a version of its own, in the order of the rows", async () => {
    const { store } = bench;
    await store.insertUser(user(1n, "ann"));
    const names = ["a", "b", "c", "d", "e"];
    const versions = await Promise.all(
      names.map(async (displayName) => (await store.updateProfile(1n, { displayName })).profileVersion),
    );
    expect(versions.toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6]);
    const rows = await waiting(bench);
    expect(rows.map((row) => Number(row.split(" ")[1]))).toEqual([2, 3, 4, 5, 6]);
    const last = (await store.usersById([1n]))[0]!;
    expect(rows.at(-1)).toBe(`userProfile 6 1  ${last.displayName}`);
  });

  test("is read up to a limit, the oldest first, and keeps what is not deleted", async () => {
    const { store } = bench;
    await store.insertUser(user(1n, "ann"));
    for (let i = 0; i < 4; i++) await store.raiseSessionVersion(1n);
    const first = await store.outbox(2);
    expect(first).toHaveLength(2);
    await store.deleteOutbox([...first.map(({ id }) => id), 987_654n]);
    await store.deleteOutbox([]);
    expect(await waiting(bench)).toEqual(["raisedSessions 4 1", "raisedSessions 5 1"]);
  });
}

function cursorTests(bench: Bench): void {
  const raise = (userId: bigint, deliveredSeq: number, readSeq: number, conversation = 1) =>
    bench.store.raiseCursors([{ conversationId: conversationOf(conversation), userId, deliveredSeq, readSeq }]);

  test("rise, each field by itself, and never fall", async () => {
    const { store } = bench;
    await raise(1n, 5, 2);
    await raise(1n, 3, 4);
    const [row] = await store.cursors(conversationOf(1), 10);
    expect(row).toEqual(sameRow({ userId: 1n, deliveredSeq: 5, readSeq: 4 }));
  });

  test("are read by conversation up to a limit, and by user", async () => {
    const { store } = bench;
    for (const userId of [3n, 1n, large]) await raise(userId, 1, 1);
    await raise(1n, 7, 7, 2);
    expect(await store.cursors(conversationOf(1), 2)).toHaveLength(2);
    const own = await store.cursorsOf(1n, [1, 2, 3].map(conversationOf));
    expect(new Map(own.map((row) => [row.conversationId[15], row.readSeq]))).toEqual(
      new Map([
        [1, 1],
        [2, 7],
      ]),
    );
    expect(await store.cursorsOf(9n, [conversationOf(1)])).toEqual([]);
  });
}

function otherTests(bench: Bench): void {
  const group = (n: number) => ({
    conversationId: conversationOf(n),
    title: `g ${n}`,
    ownerId: large,
    createdTimeMs: 7,
  });

  test("groups are found by id; unknown ones are left out", async () => {
    const { store } = bench;
    await store.insertGroup(group(1));
    await store.insertGroup(group(2));
    const found = await store.groups([2, 3, 1].map(conversationOf));
    expect(new Set(found.map(({ title }) => title))).toEqual(new Set(["g 1", "g 2"]));
    expect((await store.groups([conversationOf(1)]))[0]).toEqual(
      sameRow({ title: "g 1", ownerId: large, createdTimeMs: 7 }),
    );
  });

  test("a secret is made once, whoever asks", async () => {
    const { store } = bench;
    let made = 0;
    const make = async (): Promise<Uint8Array> => Uint8Array.of(++made, 5);
    const answers = await Promise.all([1, 2, 3].map(() => store.secret("key", make)));
    for (const answer of answers) expect(Buffer.compare(answer, answers[0]!)).toBe(0);
    expect(Buffer.compare(await store.secret("key", make), answers[0]!)).toBe(0);
    expect(Buffer.compare(await store.secret("other", make), answers[0]!)).not.toBe(0);
  });

  test("everything is there again after opening again", async () => {
    if (!bench.harness.keeps) return;
    const { store, harness } = bench;
    await store.insertUser(user(1n, "ann"));
    await store.insertSession(session(large, 1n, 4));
    await store.insertGroup(group(1));
    await store.updateGroup(conversationOf(1), { title: "other" });
    await store.raiseCursors([{ conversationId: conversationOf(1), userId: 1n, deliveredSeq: 3, readSeq: 2 }]);
    const secret = await store.secret("key", async () => Uint8Array.of(1, 2, 3));
    await store.close();
    bench.store = await harness.open();
    const again = bench.store;
    expect(await again.usersByName(["ann"])).toEqual([stored(1n, "ann")]);
    expect(await again.session(large)).toEqual(sameRow({ userId: 1n, expiresTimeMs: 5_000 }));
    expect(await again.groups([conversationOf(1)])).toEqual([sameRow({ title: "other", version: 2 })]);
    expect(await waiting(bench)).toEqual(["groupProfile 2 other"]);
    expect(await again.cursors(conversationOf(1), 5)).toEqual([sameRow({ deliveredSeq: 3, readSeq: 2 })]);
    const kept = await again.secret("key", async () => Uint8Array.of(9));
    expect(Buffer.compare(kept, secret)).toBe(0);
  });
}
