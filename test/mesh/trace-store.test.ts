import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DistributedMesh, startDistributedMesh } from "@chappe/bench/support/distributed-mesh.ts";
import { type EnvoyServer, startEnvoy } from "@chappe/mesh/dev-engines/start-envoy.ts";
import { makeTraceToken } from "@chappe/mesh/telemetry/trace-token.ts";
import { register } from "@chappe/sdk/src/index.ts";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ChatPage, launchChromium, pagePassword } from "../browser/chat-page.ts";
import { startBackend } from "../polyglot/support/backend.ts";
import { goExample } from "../polyglot/support/tools.ts";
import { createGroup, directId, registerMany } from "../support/http-user.ts";
import { callsOfRedis, treeOfClients, treeOfOffline } from "../support/message-trees.ts";
import { openTracedClient, type TracedClient } from "../support/traced-client.ts";
import { type Collector, startCollector } from "./support/start-collector.ts";
import { type Prometheus, startPrometheus } from "./support/start-prometheus.ts";
import { startZipkin, type ZipkinServer } from "./support/start-zipkin.ts";
import { useEdgeInPage } from "./support/use-edge-in-page.ts";
import { traceOf, tracesWith, waitForTrace } from "./support/zipkin-traces.ts";

const folder = mkdtempSync(join(tmpdir(), "chappe-trace-store-"));
const key = Buffer.alloc(32, 7);
const wholeTree = [...treeOfClients(true), ...callsOfRedis];
const offlineTree = [...treeOfOffline, ...callsOfRedis];
const login = "login-2";
const startMs = 600_000;
/** A page reports its spans some time after they ended. */
const reportedWithinMs = 30_000;

let zipkin: ZipkinServer;
let collector: Collector;
let distributed: DistributedMesh;
let envoy: EnvoyServer;
let prometheus: Prometheus;
let browser: Browser;
let url: string;

beforeAll(async () => {
  zipkin = await startZipkin();
  collector = await startCollector(zipkin.url);
  const keyFile = join(folder, "key");
  writeFileSync(keyFile, key);
  distributed = await startDistributedMesh({
    CHAPPE_OTLP_URL: collector.url,
    CHAPPE_TRACE_RATE: "1",
    CHAPPE_TRACE_KEY_FILE: keyFile,
    CHAPPE_TRUSTED_PROXIES: "127.0.0.1",
    CHAPPE_OPS_PORT: "0",
  });
  const { mesh } = distributed;
  await mesh.add(login, "login", ["--grpc-port", "0"]);
  const logins = [{ http: [`127.0.0.1:${mesh.port(login)}`], grpc: `127.0.0.1:${mesh.ready(login).grpc}` }];
  envoy = await startEnvoy({ settings: { logins, otlpAddress: collector.grpcAddress } });
  prometheus = await startPrometheus(mesh.names.map((name) => `127.0.0.1:${mesh.ready(name).opsPort}`));
  url = `http://127.0.0.1:${envoy.settings.port}`;
  browser = await launchChromium();
}, startMs);
afterAll(async () => {
  await browser?.close();
  for (const part of [prometheus, envoy, distributed, collector, zipkin]) await part?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a message of a page, through Envoy and over Kafka: the store answers its whole tree", async () => {
  const [anna, ben] = [await ChatPage.open(browser, `${url}/`), await ChatPage.open(browser, `${url}/`)];
  await anna.enter("anna", "Create an account");
  await ben.enter("ben", "Create an account");
  await anna.startChat("ben");
  await anna.say("followed from the click");
  await ben.openChat("anna");
  await ben.sees("followed from the click");
  await anna.tick("followed from the click", "read");
  const find = async (): Promise<string | undefined> => (await tracesWith(zipkin.url, "client send"))[0];
  const traceId = await vi.waitUntil(find, { timeout: reportedWithinMs, interval: 200 });
  await waitForTrace(zipkin.url, traceId, wholeTree);
  for (const page of [anna, ben]) {
    expect(page.errors).toEqual([]);
    await page.close();
  }
});

test("a client on grpc-go and a page talk", async () => {
  const [chat, page] = await Promise.all([goExample("chat"), ChatPage.open(browser, `${url}/`)]);
  const password = pagePassword;
  const gopher = await register({ url, name: "gopher", password });
  const clara = await register({ url, name: "clara", password });
  await page.enter("clara", "Sign in");
  const who = ["--name", "gopher", "--password", password, "--to", String(clara.userId), "--until", "1"];
  const client = startBackend({ program: chat, args: [] }, ["--server", url.slice("http://".length), ...who]);
  try {
    await client.line(`welcome ${gopher.userId}`);
    await client.line("durable");
    await page.openChat("gopher");
    await page.sees("Hello from Go");
    await page.say("seen");
    await client.line(`from=${clara.userId}: seen`);
  } finally {
    await client.stop("SIGKILL");
    await page.close();
  }
});

test("a page holds a session over gRPC-web", async () => {
  expect(await useEdgeInPage(browser, url, "gRPC-web")).toMatchObject({ same: true, seen: { answered: 20 } });
});

test("to a group of 100, and to somebody who is offline", async () => {
  const users = await registerMany(url, "u", 100);
  const open: TracedClient[] = [];
  const connect = async (index: number, traceToken?: string): Promise<TracedClient> => {
    const made = await openTracedClient(url, users[index]!, traceToken === undefined ? {} : { traceToken });
    open.push(made);
    return made;
  };
  const sender = await connect(0, makeTraceToken(key, Date.now() + 60_000));
  const lone = await sender.send(directId(users[0]!, users[1]!));
  await waitForTrace(zipkin.url, lone, offlineTree);
  const conversationId = await createGroup(users);
  const readers = await Promise.all(users.slice(1).map((_, index) => connect(index + 1)));
  const id = await sender.send(conversationId);
  await Promise.all(readers.map((reader) => reader.received(id)));
  // 98 more devices, each with "device receive" and "device ack".
  await waitForTrace(zipkin.url, id, wholeTree, wholeTree.length + 2 * 98);
  await Promise.all(open.map(({ client }) => client.close()));
});

test("a call with a trace of the caller's: Envoy's span is in it", async () => {
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  const headers = { "content-type": "application/json", traceparent: `00-${traceId}-${spanId}-01` };
  const call = { method: "POST", headers, body: "{}", signal: AbortSignal.timeout(10_000) };
  expect((await fetch(`${url}/chappe.business.v1.UserService/GetUsers`, call)).status).toBe(401);
  const find = async () => (await traceOf(zipkin.url, traceId))[0];
  const span = await vi.waitUntil(find, { timeout: reportedWithinMs, interval: 200 });
  expect(span).toMatchObject({ parentSpanId: spanId, service: "chappe-envoy" });
});

test("a Prometheus reads every process, and knows of the messages", async () => {
  const { mesh } = distributed;
  await vi.waitFor(async () => {
    const up = await prometheus.query('up{job="chappe"}');
    expect(up.map(({ value }) => value)).toEqual(mesh.names.map(() => 1));
    const [all] = await prometheus.query('sum(chappe_delivery_messages_total{chappe_within="all"})');
    expect(all?.value).toBeGreaterThan(99);
  }, reportedWithinMs);
});
