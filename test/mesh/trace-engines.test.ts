import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type DistributedMesh, startDistributedMesh } from "@chappe/bench/support/distributed-mesh.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { makeTraceToken } from "@chappe/mesh/telemetry/trace-token.ts";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createGroup, directId, type HttpUser, messageId, registerMany } from "../support/http-user.ts";
import { callsOfRedis, namesOf, treeOfClients, treeOfOffline } from "../support/message-trees.ts";
import {
  attributeOf,
  instanceOf,
  type OtlpReceiver,
  parentName,
  type ReceivedSpan,
  startOtlpReceiver,
  treeOf,
} from "../support/otlp-receiver.ts";
import { openTracedClient, type TracedClient } from "../support/traced-client.ts";

const folder = mkdtempSync(join(tmpdir(), "chappe-trace-engines-"));
const key = Buffer.alloc(32, 7);
const wholeTree = [...treeOfClients(true), ...callsOfRedis].sort();
const offlineTree = [...treeOfOffline, ...callsOfRedis].sort();

type LogLine = Readonly<Record<string, unknown>>;
const linesOf = (text: string): LogLine[] =>
  text.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as LogLine] : []));

/** The process that has Login and Online names each after itself. */
const firstLogin = "login-login";

/** Each span as "name @ process", sorted, equal ones once. */
const placesOf = (trace: readonly ReceivedSpan[]): string[] =>
  [...new Set(trace.map((span) => `${span.name} @ ${instanceOf(span)}`))]
    .filter((place) => !place.startsWith("select "))
    .sort();

const placesUp = [
  "append hot-window @ msg-writer",
  "append messages @ msg-proxy",
  "client send @ chappe-client",
  "look-up presence @ push",
  `login in @ ${firstLogin}`,
  "msg-proxy authorise @ msg-proxy",
  "msg-writer commit @ msg-writer",
  "process messages @ msg-writer",
  "process push @ push",
  "route up @ route",
  "send messages @ msg-proxy",
  "send push @ msg-writer",
];
const placesDown = (login: string): string[] => [
  `device ack @ ${login}`,
  "device receive @ chappe-client",
  `login out @ ${login}`,
  "push-worker deliver @ push",
  "route down @ route",
];

describe("the trace of a message over processes on Kafka, MariaDB and Redis", () => {
  let receiver: OtlpReceiver;
  let distributed: DistributedMesh;
  let urls: string[];
  let users: HttpUser[];
  let open: TracedClient[] = [];
  const connect = async (user: HttpUser, url: string, traceToken?: string): Promise<TracedClient> => {
    const made = await openTracedClient(url, user, traceToken === undefined ? {} : { traceToken });
    open.push(made);
    return made;
  };

  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    const keyFile = join(folder, "key");
    writeFileSync(keyFile, key);
    distributed = await startDistributedMesh({
      CHAPPE_OTLP_URL: receiver.url,
      CHAPPE_TRACE_RATE: "1",
      CHAPPE_TRACE_KEY_FILE: keyFile,
    });
    const { mesh } = distributed;
    await mesh.add("login-2", "login", []);
    urls = ["login", "login-2"].map((name) => `http://127.0.0.1:${mesh.port(name)}`);
    users = await registerMany(urls[0]!, "u", 102);
  }, 180_000);
  afterEach(async () => {
    await Promise.all(open.map(({ client }) => client.close()));
    open = [];
  });
  afterAll(async () => {
    await distributed.close();
    await receiver.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("one to one: from send to acknowledgement, a process each, and each message of a batch its own tree", async () => {
    const [ann, ben] = [users[0]!, users[1]!];
    const [sender, reader] = [await connect(ann, urls[0]!), await connect(ben, urls[1]!)];
    const ids = await Promise.all(Array.from({ length: 5 }, () => sender.send(directId(ann, ben))));
    for (const id of ids) {
      await reader.received(id);
      const trace = await receiver.waitFor(id, namesOf(wholeTree));
      expect(treeOf(trace)).toEqual(wholeTree);
      expect(placesOf(trace)).toEqual([...placesUp, ...placesDown("login-2")].sort());
    }
    const linked = ids.flatMap((id) => receiver.ofTrace(id).filter(({ name }) => name === "process messages"));
    const links = linked.flatMap(({ links: of = [] }) => of.map(({ traceId }) => traceId));
    expect(links.length).toBeGreaterThan(0);
    for (const traceId of links) expect(ids).toContain(traceId);
  });

  test("calls of the engines name their systems; the first message of two users waits for what no cache has", async () => {
    const [ann, ben] = [users[4]!, users[5]!];
    const sender = await connect(ann, urls[0]!);
    const id = await sender.send(directId(ann, ben));
    const trace = await receiver.waitFor(id, [...namesOf(offlineTree), "select users", "select heads"]);
    const found = trace.flatMap((span) => {
      const system = attributeOf(span, "db.system.name") ?? attributeOf(span, "messaging.system");
      return system === undefined ? [] : [`${span.name} < ${parentName(span, trace)}: ${system}`];
    });
    expect(found.sort()).toEqual([
      "append hot-window < process messages: redis",
      "append messages < send messages: kafka",
      "look-up presence < process push: redis",
      "msg-writer commit < process messages: mysql",
      "process messages < send messages: kafka",
      "process push < send push: kafka",
      "select heads < process messages: mysql",
      "select users < msg-proxy authorise: mysql",
      "send messages < msg-proxy authorise: kafka",
      "send push < process messages: kafka",
    ]);
  });

  test("a message that is sent again is looked for in the store", async () => {
    const [ann, ben] = [users[4]!, users[5]!];
    const clientMessageId = messageId();
    const messages = [{ clientMessageId, content: { text: { text: "hello" } } }];
    const send = () => ann.call("chappe.msg.v1.MessageService/Send", { conversationId: directId(ann, ben), messages });
    const id = Buffer.from(clientMessageId, "base64").toString("hex");
    await send();
    await receiver.waitFor(id, ["msg-writer commit"]);
    await send();
    const trace = await receiver.waitFor(id, ["select sends"]);
    const [read] = trace.filter(({ name }) => name === "select sends");
    expect(parentName(read!, trace)).toBe("process messages");
  });

  test("to a group of 100 at two Logins: one tree, and 99 devices in it", async () => {
    const members = users.slice(0, 100);
    const conversationId = await createGroup(members);
    const sender = await connect(users[0]!, urls[0]!, makeTraceToken(key, Date.now() + 60_000));
    const readers = await Promise.all(members.slice(1).map((user, index) => connect(user, urls[index % 2]!)));
    // By then nobody remembers the members from when the group was made.
    await sleep(limits.membershipViewMaxAgeMs);
    const id = await sender.send(conversationId);
    await Promise.all(readers.map((reader) => reader.received(id)));
    const device = Array.from({ length: 98 }, () => ["device receive", "device ack"]).flat();
    const second = ["push-worker deliver", "route down", "login out"];
    const cold = ["select members", "select readers"];
    const trace = await receiver.waitFor(id, [...namesOf(wholeTree), ...device, ...second, ...cold]);
    expect(treeOf(trace)).toEqual(wholeTree);
    expect(placesOf(trace)).toEqual(
      [...new Set([...placesUp, ...placesDown(firstLogin), ...placesDown("login-2")])].sort(),
    );
    expect(new Set(trace.map(({ spanId }) => spanId)).size).toBe(trace.length);
  });

  test("to somebody who is offline: it ends there", async () => {
    // Who was never there: of one that has just gone presence may not know it yet.
    const [ann, ben] = [users[100]!, users[101]!];
    const id = await (await connect(ann, urls[1]!)).send(directId(ann, ben));
    const trace = await receiver.waitFor(id, namesOf(offlineTree));
    expect(treeOf(trace)).toEqual(offlineTree);
    const places = [...placesUp, "push offline @ push"].map((place) => place.replace(firstLogin, "login-2"));
    expect(placesOf(trace)).toEqual(places.sort());
  });

  test("lines of the log that a message causes name its trace", async () => {
    const [ann, ben] = [users[0]!, users[1]!];
    const sender = await connect(ann, urls[0]!);
    // Whoever must know the two does from here on, and only the commit needs the store.
    await receiver.waitFor(await sender.send(directId(ann, ben)), ["msg-writer commit"]);
    await distributed.mariadb.close();
    const handle = sender.client.send(Buffer.from(directId(ann, ben), "base64"), { text: "hello" });
    await handle.durable;
    const id = Buffer.from(handle.clientMessageId).toString("hex");
    const retries = (): LogLine[] =>
      linesOf(distributed.mesh.logs()).filter(({ event }) => event === "msg-writer.retry");
    await vi.waitFor(() => expect(retries().length).toBeGreaterThan(0), 20_000);
    const sendPush = (await receiver.waitFor(id, ["send push"])).find(({ name }) => name === "send push")!;
    expect(retries()[0]).toMatchObject({ what: "commit", trace_id: id, span_id: sendPush.spanId });
  });
});
