import { createLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { prometheusName, registry } from "@chappe/mesh/telemetry/registry.ts";
import type { Telemetry } from "@chappe/services/all/open-telemetry.ts";
import { createServeOps } from "@chappe/services/all/ops-pages.ts";
import { createOpsServer, type OpsServer } from "@chappe/services/all/ops-server.ts";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openDevice } from "../support/chat-device.ts";
import { directId, registerMany } from "../support/http-user.ts";
import { startLocalMesh } from "../support/local-mesh.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { startTestServer } from "../support/test-server.ts";
import { openTracedClient, type TracedClient } from "../support/traced-client.ts";

interface Subject {
  /** Of two doors, which may be one. */
  readonly urls: readonly string[];
  readonly telemetries: readonly Telemetry[];
  close(): Promise<void>;
}

const envOf = (receiver: OtlpReceiver) => ({
  CHAPPE_OTLP_URL: receiver.url,
  CHAPPE_TRACE_RATE: "1",
  CHAPPE_METRICS_INTERVAL_MS: "300",
  CHAPPE_RECONCILE_INTERVAL_MS: "500",
});

async function startOne(receiver: OtlpReceiver): Promise<Subject> {
  const server = await startTestServer([], envOf(receiver));
  return { urls: [server.url, server.url], telemetries: [server.telemetry()], close: () => server.close() };
}

async function startMesh(receiver: OtlpReceiver): Promise<Subject> {
  const mesh = await startLocalMesh(envOf(receiver));
  const logins = [await mesh.start("login", "login-1"), await mesh.start("login", "login-2")];
  const urls = logins.map(({ port }) => `http://127.0.0.1:${port}`);
  return { urls, telemetries: mesh.running().map(({ telemetry }) => telemetry), close: () => mesh.close() };
}

describe.each([
  ["one process", startOne],
  ["a mesh", startMesh],
])("what %s emits", (name, start) => {
  let receiver: OtlpReceiver;
  let subject: Subject;
  let ops: OpsServer[];
  let clients: TracedClient[];
  /** Spans that only come to be where deliveries go by Route, on Redis, in groups, of what is sent again. */
  const absent = [
    ...(name === "one process" ? ["route down"] : []),
    ...["append hot-window", "look-up presence", "select members", "select readers", "select sends"],
  ];

  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    subject = await start(receiver);
    const logger = createLogger(() => {});
    const common = { host: "127.0.0.1", port: 0, ready: () => true };
    ops = await Promise.all(
      subject.telemetries.map((telemetry) => createOpsServer({ ...common, serve: createServeOps(telemetry, logger) })),
    );
    const [ann, ben, cas, dan] = await registerMany(subject.urls[0]!, "u", 4);
    clients = [await openTracedClient(subject.urls[0]!, ann!), await openTracedClient(subject.urls[1]!, ben!)];
    const id = await clients[0]!.send(directId(ann!, ben!));
    await clients[1]!.received(id);
    const toNobody = await clients[0]!.send(directId(ann!, cas!));
    // A close of its own, to be counted.
    const short = await openDevice(subject.urls[0]!, dan!.token);
    short.socket.close();
    await receiver.waitFor(id, ["client send", "device receive", "device ack", "process push"]);
    await receiver.waitFor(toNobody, ["push offline", "msg-writer commit"]);
  });
  afterAll(async () => {
    for (const { client } of clients) await client.close();
    for (const one of ops) await one.close();
    await subject.close();
    await receiver.close();
  });

  const scrape = async (): Promise<string[]> => {
    const texts = await Promise.all(
      ops.map(async ({ port }) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
    );
    return texts
      .join("")
      .split("\n")
      .filter((line) => line !== "");
  };

  test("each metric of the registry, and no other, to OTLP and to Prometheus", async () => {
    const names = registry.metrics.map((row) => row.name).sort();
    await vi.waitFor(() => expect([...receiver.metrics].sort()).toEqual(names), 15_000);
    const lines = await scrape();
    const found = new Set(lines.filter((line) => line.startsWith("# TYPE")).map((line) => line.split(" ")[2]));
    expect([...found].sort()).toEqual(registry.metrics.map(prometheusName).sort());
    for (const line of lines)
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")?\})? -?[\d.e+-]+)$/);
  });

  test("what was done: two messages settled, one acknowledged within the promise, nothing lost", async () => {
    const sum = (lines: readonly string[], start: string): number =>
      lines.filter((line) => line.startsWith(start)).reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
    const lines = await scrape();
    expect(sum(lines, 'chappe_writer_messages_total{chappe_outcome="committed"}')).toBe(2);
    expect(sum(lines, 'chappe_delivery_messages_total{chappe_within="all"}')).toBe(1);
    expect(sum(lines, 'chappe_delivery_messages_total{chappe_within="1s"}')).toBe(1);
    expect(sum(lines, "chappe_login_connections ")).toBeGreaterThan(1);
    expect(sum(lines, "chappe_push_offline_total")).toBeGreaterThan(0);
    expect(sum(lines, 'chappe_reconcile_conversations_total{chappe_outcome="different"}')).toBe(0);
  });

  test("each span of the registry, and no other, with attributes of the registry alone", () => {
    const listed = registry.spans.map((row) => row.name).filter((one) => !absent.includes(one));
    expect([...new Set(receiver.spans.map((span) => span.name))].sort()).toEqual(listed.sort());
    const known = new Set(registry.attributes.map((row) => row.name));
    const used = new Set(receiver.spans.flatMap(({ attributes }) => attributes.map(({ key }) => key)));
    expect([...used].filter((key) => !known.has(key))).toEqual([]);
  });
});
