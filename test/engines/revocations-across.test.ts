import { TokenStateService } from "@chappe/gen/proto/chappe/business/v1/token_state_service_pb.ts";
import { createRemoteTokenState } from "@chappe/mesh/auth/remote-token-state.ts";
import { createMemoryRevocationFeed } from "@chappe/mesh/auth/revocation-feed.ts";
import { type KafkaCluster, startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import type { MysqlOptions } from "@chappe/mesh/engines/mysql/mysql-options.ts";
import { createMysqlBusinessStore } from "@chappe/mesh/engines/mysql-business-store/create-mysql-business-store.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import type { Revocation } from "@chappe/mesh/rpc/token-verifier.ts";
import { createRevocationList } from "@chappe/services/auth/revocation-list.ts";
import { createTokenState } from "@chappe/services/auth/token-state.ts";
import { createOutboxRelay } from "@chappe/services/changes/outbox-relay.ts";
import { createRouterTransport, type Transport } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type MysqlKit, startMysqlKit } from "./mysql-kit.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let kafka: KafkaCluster;
let kit: MysqlKit;
beforeAll(async () => {
  [kafka, kit] = await Promise.all([startKafka(), startMysqlKit()]);
});
afterAll(async () => {
  await kafka?.close();
  await kit?.close();
});

const logger = silentLogger;
const userId = 7n;
let database: MysqlOptions;
let prefix = "";
let names = 0;
const open: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  database = await kit.createDatabase();
  prefix = `across-${++names}`;
});
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});

/** What a business process is made of, as far as sessions go. */
async function startBusiness() {
  const store = await createMysqlBusinessStore(database);
  const log = await createKafkaLog({ brokers: kafka.addresses, partitions: 2, prefix });
  const feed = createMemoryRevocationFeed(store);
  const list = createRevocationList({ log, onRevocation: () => undefined, logger });
  await list.start();
  const relay = createOutboxRelay({ store, log, logger });
  const impl = createTokenState({ feed, list, jwks: { keys: [] }, resumeKey: new Uint8Array(32) });
  const transport = createRouterTransport(({ service }) => void service(TokenStateService, impl));
  const parts = [relay, list, log, store];
  const close = async (): Promise<void> => {
    for (const part of parts) await part.close();
  };
  open.push({ close });
  return { store, relay, list, transport };
}

/** What a Login process knows, by way of a transport that may change. */
async function startLogin(transport: Transport) {
  const at = { transport };
  const switching: Transport = {
    unary: (...args) => at.transport.unary(...args),
    stream: (...args) => at.transport.stream(...args),
  };
  const heard: Revocation[] = [];
  const misses: number[] = [];
  const onMissed = (): void => void misses.push(heard.length);
  const state = await createRemoteTokenState({ transport: switching, onMissed, logger });
  // Both relays may have brought it.
  const isKnown = (one: Revocation): boolean =>
    heard.some((other) => other.sessionId === one.sessionId && other.minSessionVersion === one.minSessionVersion);
  state.feed.subscribe((revocation) => void (isKnown(revocation) || heard.push(revocation)));
  open.push({ close: async () => state.close() });
  return { at, heard, misses };
}

async function addUser({ store }: Awaited<ReturnType<typeof startBusiness>>): Promise<void> {
  await store.insertUser({ userId, name: "ann", displayName: "ann", passwordHash: "x", sessionVersion: 1 });
}

test("a sign-out through one process is heard by a Login that asks the other", async () => {
  const [a, b] = await Promise.all([startBusiness(), startBusiness()]);
  await addUser(a);
  const login = await startLogin(b.transport);
  await a.store.insertSession({ sessionId: 70n, userId, refreshHash: new Uint8Array(32), expiresTimeMs: 1 });
  await a.store.deleteSession(70n);
  a.relay.wake();
  await vi.waitFor(() => expect(login.heard).toHaveLength(1), { timeout: 10_000 });
  expect(login.heard[0]).toMatchObject({ userId, sessionId: 70n });
  await a.store.raiseSessionVersion(userId);
  a.relay.wake();
  await vi.waitFor(() => expect(login.heard[1]).toMatchObject({ userId, sessionId: 0n, minSessionVersion: 2 }), {
    timeout: 10_000,
  });
  expect(login.misses).toEqual([]);
});

test("a process that ends before its relay leaves the row to the other one", async () => {
  const [a, b] = await Promise.all([startBusiness(), startBusiness()]);
  await addUser(a);
  const login = await startLogin(b.transport);
  await a.relay.close();
  await a.store.raiseSessionVersion(userId);
  await vi.waitFor(() => expect(login.heard).toMatchObject([{ userId, minSessionVersion: 2 }]), { timeout: 10_000 });
});

test("a Login that changes from one process to the other goes on where it is, and misses nothing", async () => {
  const [a, b] = await Promise.all([startBusiness(), startBusiness()]);
  await addUser(a);
  const login = await startLogin(a.transport);
  for (let version = 2; version < 12; version++) {
    await a.store.raiseSessionVersion(userId);
    a.relay.wake();
    login.at.transport = version % 2 === 0 ? b.transport : a.transport;
    await vi.waitFor(() => expect(login.heard.at(-1)?.minSessionVersion).toBe(version), { timeout: 10_000 });
  }
  expect(login.misses).toEqual([]);
});

test("a process that has just started says that it does not have what came before it", async () => {
  const a = await startBusiness();
  await addUser(a);
  const login = await startLogin(a.transport);
  await vi.waitFor(async () => expect(login.misses).toEqual([]));
  // Whoever comes with an older place than the new process has is told to ask for every session.
  await a.store.raiseSessionVersion(userId);
  a.relay.wake();
  await vi.waitFor(() => expect(a.list.end).toBeGreaterThan(0), { timeout: 10_000 });
  const b = await startBusiness();
  expect(b.list.from(a.list.end - 1)).toBeUndefined();
  expect(b.list.from(a.list.end)).toEqual([]);
  expect(await b.list.isForeign(a.list.end)).toBe(false);
  expect(await b.list.isForeign(a.list.end + 5)).toBe(true);
});
