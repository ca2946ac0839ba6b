import { fromBinary } from "@bufbuild/protobuf";
import { UserChangedSchema } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { PushService } from "@chappe/gen/proto/chappe/push/v1/push_service_pb.ts";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { createMemoryMessageStore } from "@chappe/mesh/engines/memory-stores/create-memory-message-store.ts";
import { createSqliteBusinessStore } from "@chappe/mesh/engines/sqlite-business-store/create-sqlite-business-store.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import type { Appended, Log } from "@chappe/mesh/ports/log.ts";
import type { Revocation } from "@chappe/mesh/rpc/token-verifier.ts";
import { createRevocationList } from "@chappe/services/auth/revocation-list.ts";
import { createChangeEvents } from "@chappe/services/changes/change-events.ts";
import { createOutboxRelay } from "@chappe/services/changes/outbox-relay.ts";
import { createRouterTransport } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { tempDirectory } from "./log-kit.ts";

let directory: Awaited<ReturnType<typeof tempDirectory>>;
let store: BusinessStore;
let log: Log;
const open = async (): Promise<void> => {
  store = await createSqliteBusinessStore({ directory: directory.path });
  log = await createEmbeddedLog({ directory: `${directory.path}/log`, partitions: 2 });
};
const close = async (): Promise<void> => {
  await log.close();
  await store.close();
};
beforeEach(async () => {
  directory = await tempDirectory();
  await open();
  await store.insertUser({ userId: 1n, name: "ann", displayName: "ann", passwordHash: "x", sessionVersion: 1 });
});
afterEach(async () => {
  await close();
  await directory.remove();
});

const logger = silentLogger;
const far = 3_600_000;
const relayOf = (over: Partial<Parameters<typeof createOutboxRelay>[0]> = {}) =>
  createOutboxRelay({ store, log, logger, pollMs: far, ...over });
const isEmpty = async () => expect(await store.outbox(9)).toEqual([]);
const onLog = async (): Promise<number> => (await log.end("changes", 0)) + (await log.end("changes", 1));

async function follow(): Promise<{ seen: Revocation[]; list: ReturnType<typeof createRevocationList> }> {
  const seen: Revocation[] = [];
  const onRevocation = (revocation: Revocation): void => void seen.push(revocation);
  const list = createRevocationList({ log, onRevocation, logger });
  await list.start();
  return { seen, list };
}

/** A log that takes the record and then fails the append, or leaves it unsettled: the relay dies in between. */
const dying = (how: "rejects" | "hangs"): Pick<Log, "append" | "partitions"> => ({
  partitions: log.partitions,
  async append(topic, partition, payload): Promise<Appended> {
    await log.append(topic, partition, payload);
    if (how === "rejects") throw new Error("died");
    return new Promise(() => {});
  },
});

describe("the relay", () => {
  test("a crash between the commit and the relay loses nothing: the next start brings it", async () => {
    await store.raiseSessionVersion(1n);
    await close();
    await open();
    const { seen, list } = await follow();
    const relay = relayOf();
    await vi.waitFor(isEmpty);
    await vi.waitFor(() => expect(seen).toEqual([{ userId: 1n, sessionId: 0n, minSessionVersion: 2 }]));
    await relay.close();
    await list.close();
  });

  test("a crash between the log and the outbox repeats the change, and its readers bear that", async () => {
    const { seen, list } = await follow();
    await store.raiseSessionVersion(1n);
    relayOf({ log: dying("hangs") });
    await vi.waitFor(async () => expect(await onLog()).toBe(1));
    expect(await store.outbox(9)).toHaveLength(1);
    const relay = relayOf();
    await vi.waitFor(isEmpty);
    expect(await onLog()).toBe(2);
    await vi.waitFor(() => expect(list.end).toBe(2));
    expect(new Set(seen.map((one) => JSON.stringify({ ...one, userId: 1, sessionId: 0 }))).size).toBe(1);
    await relay.close();
    await list.close();
  });

  test("what the log refuses stays, and comes with the next look", async () => {
    await store.raiseSessionVersion(1n);
    const failing = relayOf({ log: dying("rejects") });
    await vi.waitFor(() => expect(failing.stats().failures).toBe(1));
    await failing.close();
    expect(await store.outbox(9)).toHaveLength(1);
    const relay = relayOf({ pollMs: 5 });
    await vi.waitFor(isEmpty);
    await store.raiseSessionVersion(1n);
    await vi.waitFor(isEmpty);
    expect(relay.stats()).toMatchObject({ relayed: 2, failures: 0 });
    await relay.close();
  });

  test("more rows than one look takes all get there, also with two relays at once", async () => {
    const { list } = await follow();
    const count = 600;
    for (let i = 0; i < count; i++) await store.updateProfile(1n, { displayName: `ann ${i}` });
    const relays = [relayOf(), relayOf()];
    await vi.waitFor(isEmpty);
    expect(await onLog()).toBeGreaterThanOrEqual(count);
    for (const relay of relays) await relay.close();
    await list.close();
  });
});

describe("events of profiles", () => {
  const start = async () => {
    const versions: bigint[] = [];
    let refusals = 0;
    const transport = createRouterTransport(({ service }) => {
      service(PushService, {
        publishBatch({ events }) {
          if (refusals-- > 0) throw new Error("not now");
          for (const { payload } of events) versions.push(fromBinary(UserChangedSchema, payload).profileVersion);
          return {};
        },
      });
    });
    const events = createChangeEvents({ log, store: createMemoryMessageStore(), transport, logger });
    await events.start();
    return { versions, events, refuse: (times: number) => (refusals = times) };
  };

  test("a change that is on the log twice, or after a newer one, makes one event", async () => {
    const { versions, events } = await start();
    await store.updateProfile(1n, { displayName: "a" });
    await store.updateProfile(1n, { displayName: "b" });
    const [first, second] = await store.outbox(9);
    const append = (body: Uint8Array) => log.append("changes", 1, body);
    await append(first!.body);
    await append(second!.body);
    await append(second!.body);
    await append(first!.body);
    await store.updateProfile(1n, { displayName: "c" });
    await append((await store.outbox(9))[2]!.body);
    await vi.waitFor(() => expect(versions.at(-1)).toBe(4n));
    expect(versions).toEqual([2n, 3n, 4n]);
    await events.close();
  });

  test("a reader that starts again goes on where it was; what was not published is", async () => {
    const one = await start();
    await store.updateProfile(1n, { displayName: "a" });
    const relay = relayOf({ pollMs: 5 });
    await vi.waitFor(() => expect(one.versions).toEqual([2n]));
    await one.events.close();
    await store.updateProfile(1n, { displayName: "b" });
    await vi.waitFor(isEmpty);
    const two = await start();
    await vi.waitFor(() => expect(two.versions.at(-1)).toBe(3n));
    await two.events.close();
    await relay.close();
  });

  test("a record that cannot be read is left out, the next one is not", async () => {
    const { versions, events } = await start();
    await log.append("changes", 0, Uint8Array.of(0xff, 0xff, 0xff));
    await store.updateProfile(1n, { displayName: "a" });
    await log.append("changes", 0, (await store.outbox(9))[0]!.body);
    await vi.waitFor(() => expect(versions).toEqual([2n]));
    await events.close();
  });
});
