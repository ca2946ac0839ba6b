import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { ClientSpanKind, ReportSpansRequestSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { spanIdOf } from "@chappe/mesh/telemetry/span-id.ts";
import { makeTraceToken } from "@chappe/mesh/telemetry/trace-token.ts";
import { sendSpanId } from "@chappe/sdk/src/tracing/span-id.ts";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createGroup, directId, type HttpUser, registerMany } from "../support/http-user.ts";
import { namesOf, treeOfClients, treeOfOffline } from "../support/message-trees.ts";
import { type OtlpReceiver, startOtlpReceiver, treeOf } from "../support/otlp-receiver.ts";
import { errorOf, openSession, type SocketClient } from "../support/socket-client.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { openTracedClient, type TracedClient } from "../support/traced-client.ts";

const folder = mkdtempSync(join(tmpdir(), "chappe-trace-client-"));
const key = Buffer.alloc(32, 7);
const keyFile = join(folder, "key");
writeFileSync(keyFile, key);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const wholeTree = treeOfClients(false);

describe.each([
  ["every message is sampled", "1"],
  ["no message is sampled", "0"],
])("spans of the SDK while %s", (_name, rate) => {
  let receiver: OtlpReceiver;
  let server: TestServer;
  let users: HttpUser[];
  const open: TracedClient[] = [];
  const connect = async (user: HttpUser, traceToken?: string): Promise<TracedClient> => {
    const made = await openTracedClient(server.url, user, traceToken === undefined ? {} : { traceToken });
    open.push(made);
    return made;
  };

  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    const env = { CHAPPE_OTLP_URL: receiver.url, CHAPPE_TRACE_RATE: rate, CHAPPE_TRACE_KEY_FILE: keyFile };
    server = await startTestServer([], env);
    users = await registerMany(server.url, "u", 4);
  });
  afterEach(async () => {
    for (const { client } of open.splice(0)) await client.close();
  });
  afterAll(async () => {
    await server.close();
    await receiver.close();
  });

  test("by sampling or by a token of support: one tree from the send to the acknowledgement of the device", async () => {
    const [ann, ben] = [users[0]!, users[1]!];
    const token = rate === "0" ? makeTraceToken(key, Date.now() + 60_000) : undefined;
    const [sender, reader] = [await connect(ann, token), await connect(ben)];
    const id = await sender.send(directId(ann, ben), "a secret text");
    await reader.received(id);
    const trace = await receiver.waitFor(id, namesOf(wholeTree));
    expect(treeOf(trace)).toEqual(wholeTree);
    const of = (name: string) => trace.find((span) => span.name === name)!;
    const startOf = (name: string): bigint => BigInt(of(name).startTimeUnixNano);
    expect(startOf("client send")).toBeLessThanOrEqual(startOf("login in"));
    expect(startOf("device receive")).toBeLessThanOrEqual(startOf("device ack"));
    const all = JSON.stringify(receiver.spans);
    for (const secret of ["a secret text", ann.token, ben.token, ann.userId, ben.userId])
      expect(all).not.toContain(secret);
  });

  test("a quick send is told of only when it is sampled, a refused one always", async () => {
    const [ann, ben, cas] = [users[0]!, users[1]!, users[2]!];
    const sender = await connect(ann);
    const quick = await sender.send(directId(ann, ben));
    const refused = await sender.send(directId(ben, cas));
    const tree = ["client send < ", "login in < client send", "msg-proxy authorise < route up", "route up < login in"];
    expect(treeOf(await receiver.waitFor(refused, namesOf(tree)))).toEqual(tree);
    if (rate === "0") expect(receiver.ofTrace(quick)).toEqual([]);
    else expect(treeOf(await receiver.waitFor(quick, namesOf(treeOfOffline)))).toEqual(treeOfOffline);
  });

  test("in a group each device has a span of its own", async () => {
    const members = users.slice(0, 3);
    const conversationId = await createGroup(members);
    const token = makeTraceToken(key, Date.now() + 60_000);
    const sender = await connect(members[0]!, token);
    const readers = [await connect(members[1]!), await connect(members[2]!)];
    const id = await sender.send(conversationId);
    for (const reader of readers) await reader.received(id);
    const trace = await receiver.waitFor(id, [...namesOf(wholeTree), "device receive", "device ack"]);
    expect(treeOf(trace)).toEqual(wholeTree);
    const receives = trace.filter(({ name }) => name === "device receive").map(({ spanId }) => spanId);
    const parents = trace.filter(({ name }) => name === "device ack").map(({ parentSpanId }) => parentSpanId);
    expect(parents.sort()).toEqual(receives.sort());
  });
});

describe("reports of clients", () => {
  let receiver: OtlpReceiver;
  let server: TestServer;
  let users: HttpUser[];
  let lastId = 0;
  /** So long no span of a test is by itself. */
  const foreignMs = 30_000;

  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    server = await startTestServer([], { CHAPPE_OTLP_URL: receiver.url, CHAPPE_TRACE_RATE: "1" });
    users = await registerMany(server.url, "u", 3);
  });
  afterAll(async () => {
    await server.close();
    await receiver.close();
  });

  type Report = { clientMessageId: Uint8Array; kind: ClientSpanKind; startTimeMs: number; endTimeMs: number };
  const report = async (socket: SocketClient, spans: readonly Report[]): Promise<string> => {
    const payload = toBinary(ReportSpansRequestSchema, create(ReportSpansRequestSchema, { spans: [...spans] }));
    const id = ++lastId;
    socket.send({ kind: PacketKind.REQUEST, svid: 1, cmd: 4, id, payload });
    const answer = await socket.take((packet) => packet.id === id);
    return answer.kind === PacketKind.RESPONSE ? "taken" : errorOf(answer).name;
  };
  const span = (id: Uint8Array, kind: ClientSpanKind = ClientSpanKind.SEND): Report => {
    const nowMs = Date.now();
    return { clientMessageId: id, kind, startTimeMs: nowMs - foreignMs, endTimeMs: nowMs };
  };

  test("of messages that the client has nothing to do with are passed over", async () => {
    const [ann, ben, cas] = [users[0]!, users[1]!, users[2]!];
    // Their own reports come after the stranger's.
    const later = { limits: { spanReportMs: 2_000 } };
    const sender = await openTracedClient(server.url, ann, later);
    const reader = await openTracedClient(server.url, ben, later);
    const stranger = await openSession(server.url, cas.token, 3n);
    const id = await sender.send(directId(ann, ben));
    await receiver.waitFor(id, ["login in", "login out"]);
    const bytes = Buffer.from(id, "hex");
    expect(await report(stranger, [span(bytes), span(bytes, ClientSpanKind.RECEIVE)])).toBe("taken");
    expect(treeOf(await receiver.waitFor(id, namesOf(wholeTree)))).toEqual(wholeTree);
    for (const name of ["client send", "device receive"]) {
      const [one, ...more] = receiver.ofTrace(id).filter((each) => each.name === name);
      expect(more).toEqual([]);
      const tookMs = Number(BigInt(one!.endTimeUnixNano) - BigInt(one!.startTimeUnixNano)) / 1e6;
      expect(tookMs).toBeLessThan(foreignMs);
    }
    stranger.close();
    for (const { client } of [sender, reader]) await client.close();
  });

  test("are bounded, in size and in number", async () => {
    const socket = await openSession(server.url, users[2]!.token, 4n);
    const id = new Uint8Array(16).fill(1);
    expect(await report(socket, [span(Uint8Array.of(1))])).toBe("INVALID_ARGUMENT");
    expect(await report(socket, [{ ...span(id), startTimeMs: Number.NaN }])).toBe("INVALID_ARGUMENT");
    const many = Array.from({ length: limits.maxClientSpans + 1 }, () => span(id));
    expect(await report(socket, many)).toBe("INVALID_ARGUMENT");
    const answers = await Promise.all(Array.from({ length: limits.clientReportBurst }, () => report(socket, [])));
    expect(answers).toContain("RATE_LIMITED");
    socket.close();
  });

  test("name the span ids that the servers compute", () => {
    const id = Uint8Array.from({ length: 16 }, (_, at) => at * 17);
    expect(sendSpanId(id)).toBe(spanIdOf(id, 1));
  });
});
