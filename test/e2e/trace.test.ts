import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeTraceToken } from "@chappe/mesh/telemetry/trace-token.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChatDevice, openDevice } from "../support/chat-device.ts";
import { createGroup, directId, type HttpUser, messageId, registerMany, registerUser } from "../support/http-user.ts";
import { namesOf, wayDown, wayUp } from "../support/message-trees.ts";
import { attributeOf, type OtlpReceiver, startOtlpReceiver, treeOf, withoutCalls } from "../support/otlp-receiver.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const down = wayDown(false);
const wholeTree = [...wayUp, ...down].sort();
const lateTree = withoutCalls(wholeTree);

const key = Buffer.alloc(32, 7);
const folder = mkdtempSync(join(tmpdir(), "chappe-trace-"));
const keyFile = join(folder, "key");
writeFileSync(keyFile, key);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const contextWith = (token: string): string => `00-${"5".repeat(32)}-b7ad6b7169203331-01;${token}`;

function startTraced(receiver: OtlpReceiver, rate: string): Promise<TestServer> {
  const env = { CHAPPE_OTLP_URL: receiver.url, CHAPPE_TRACE_RATE: rate, CHAPPE_TRACE_KEY_FILE: keyFile };
  return startTestServer([], env);
}

describe("the trace of a message in one process", () => {
  let receiver: OtlpReceiver;
  let server: TestServer;
  let users: HttpUser[];

  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    server = await startTraced(receiver, "1");
    users = await Promise.all(["ann", "ben", "cas"].map((name) => registerUser(server.url, name)));
  });
  afterAll(async () => {
    await server.close();
    await receiver.close();
  });

  test("one to one: every hop in one tree, from the frame to the acknowledgement of the device", async () => {
    const [ann, ben] = [users[0]!, users[1]!];
    const sender = await openDevice(server.url, ann.token);
    const reader = await openDevice(server.url, ben.token);
    const id = await sender.send(directId(ann, ben));
    await reader.receive(id);
    const trace = await receiver.waitFor(id, namesOf(wholeTree));
    expect(treeOf(trace)).toEqual(wholeTree);
    for (const span of trace)
      expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
    const resolve = trace.find(({ name }) => name === "process push")!;
    expect(attributeOf(resolve, "chappe.devices")).toBe(1);
    sender.socket.close();
    reader.socket.close();
  });

  test("to somebody who is offline: it ends there, and says so", async () => {
    const [ann, cas] = [users[0]!, users[2]!];
    const sender = await openDevice(server.url, ann.token);
    const id = await sender.send(directId(ann, cas));
    const tree = [...wayUp, "push offline < process push"].sort();
    const trace = await receiver.waitFor(id, namesOf(tree));
    expect(treeOf(trace)).toEqual(tree);
    expect(attributeOf(trace.find(({ name }) => name === "push offline")!, "chappe.offline_users")).toBe(1);
    sender.socket.close();
  });

  test("to a group of 100: one tree, with one acknowledgement for each device", async () => {
    const members = await registerMany(server.url, "g", 100);
    const conversationId = await createGroup(members);
    const devices = await Promise.all(members.map(({ token }) => openDevice(server.url, token)));
    const id = await devices[0]!.send(conversationId, {
      traceContext: contextWith(makeTraceToken(key, Date.now() + 60_000)),
    });
    await Promise.all(devices.slice(1).map((device) => device.receive(id)));
    const acks = Array.from({ length: 99 }, () => "device ack");
    const trace = await receiver.waitFor(id, [...namesOf(wholeTree), ...acks.slice(1)]);
    expect(treeOf(trace)).toEqual(wholeTree);
    expect(trace.filter(({ name }) => name === "device ack")).toHaveLength(99);
    expect(attributeOf(trace.find(({ name }) => name === "login out")!, "chappe.devices")).toBe(99);
    for (const { socket } of devices) socket.close();
  });

  test("a send over HTTP begins at MsgProxy", async () => {
    const [ann, cas] = [users[0]!, users[2]!];
    const clientMessageId = messageId();
    const messages = [{ clientMessageId, content: { text: { text: "hello" } } }];
    await ann.call("chappe.msg.v1.MessageService/Send", { conversationId: directId(ann, cas), messages });
    const id = Buffer.from(clientMessageId, "base64").toString("hex");
    const trace = await receiver.waitFor(id, ["msg-proxy authorise", "push offline"]);
    expect(treeOf(trace)).toContain("msg-proxy authorise < ");
  });

  test("messages of one batch link to each other", async () => {
    const [ann, ben] = [users[0]!, users[1]!];
    const sender = await openDevice(server.url, ann.token);
    const ids = await Promise.all(Array.from({ length: 4 }, () => sender.send(directId(ann, ben))));
    for (const id of ids) await receiver.waitFor(id, ["process messages"]);
    const steps = ids.map((id) => receiver.ofTrace(id).find(({ name }) => name === "process messages")!);
    const linked = steps.flatMap(({ links = [] }) => links.map(({ traceId }) => traceId));
    expect(linked.length).toBeGreaterThan(0);
    for (const traceId of linked) expect(ids).toContain(traceId);
    sender.socket.close();
  });

  test("the client's own trace is linked, and is not the parent", async () => {
    const [ann, ben] = [users[0]!, users[1]!];
    const sender = await openDevice(server.url, ann.token);
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const id = await sender.send(directId(ann, ben), { traceContext: `00-${traceId}-b7ad6b7169203331-01` });
    const [span] = (await receiver.waitFor(id, ["login in"])).filter(({ name }) => name === "login in");
    expect(span!.parentSpanId ?? "").toBe("");
    expect(span!.links).toMatchObject([{ traceId, spanId: "b7ad6b7169203331" }]);
    expect(receiver.ofTrace(traceId)).toEqual([]);
    sender.socket.close();
  });
});

describe("with no message sampled", () => {
  let receiver: OtlpReceiver;
  let server: TestServer;
  let ann: HttpUser;
  let ben: HttpUser;
  let sender: ChatDevice;
  let reader: ChatDevice;

  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    server = await startTraced(receiver, "0");
    [ann, ben] = [await registerUser(server.url, "ann"), await registerUser(server.url, "ben")];
    sender = await openDevice(server.url, ann.token);
    reader = await openDevice(server.url, ben.token);
  });
  afterAll(async () => {
    sender.socket.close();
    reader.socket.close();
    await server.close();
    await receiver.close();
  });

  test("nothing is exported of a quick message, also when the client asks for it", async () => {
    const quick = await sender.send(directId(ann, ben));
    const asked = await sender.send(directId(ann, ben), { traceContext: `00-${quick}-b7ad6b7169203331-01;wrong` });
    await reader.receive(asked);
    // The message after it is exported, by which time these would be too.
    const late = await sender.send(directId(ann, ben), { ageMs: 1_500 });
    await receiver.waitFor(late, ["login in", "process messages", "process push"]);
    expect(receiver.ofTrace(quick)).toEqual([]);
    expect(receiver.ofTrace(asked)).toEqual([]);
  });

  test("a message that is acknowledged late is exported whole, out of what the roles remember", async () => {
    const id = await sender.send(directId(ann, ben));
    await reader.receive(id, { afterMs: 1_100 });
    expect(withoutCalls(treeOf(await receiver.waitFor(id, namesOf(lateTree))))).toEqual(lateTree);
  });

  test("a refused message is exported with the reason", async () => {
    const stranger = await registerUser(server.url, "dan");
    const refused = await sender.send(directId(ben, stranger)).then(
      () => undefined,
      ({ messageId: bytes }: { messageId: Buffer }) => bytes.toString("hex"),
    );
    const trace = await receiver.waitFor(refused!, ["login in", "route up", "msg-proxy authorise"]);
    expect(treeOf(trace)).toEqual(["login in < ", "msg-proxy authorise < route up", "route up < login in"]);
    const judged = trace.find(({ name }) => name === "msg-proxy authorise")!;
    expect(attributeOf(judged, "error.type")).toBe("NOT_A_MEMBER");
    expect(judged.status?.code).toBe(2);
  });

  test("a client with a token of support is traced until the token ends", async () => {
    const good = makeTraceToken(key, Date.now() + 60_000);
    const id = await sender.send(directId(ann, ben), { traceContext: contextWith(good) });
    await reader.receive(id);
    expect(treeOf(await receiver.waitFor(id, namesOf(wholeTree)))).toEqual(wholeTree);
    const over = makeTraceToken(key, Date.now() - 60_000);
    const foreign = makeTraceToken(Buffer.alloc(32, 8), Date.now() + 60_000);
    const ids = [
      await sender.send(directId(ann, ben), { traceContext: contextWith(over) }),
      await sender.send(directId(ann, ben), { traceContext: contextWith(foreign) }),
    ];
    const last = await sender.send(directId(ann, ben), { traceContext: contextWith(good) });
    await receiver.waitFor(last, ["process push"]);
    for (const one of ids) expect(receiver.ofTrace(one)).toEqual([]);
  });
});
