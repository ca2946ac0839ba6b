import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type ChatDevice, openDevice } from "../support/chat-device.ts";
import { createGroup, directId, type HttpUser, messageId, registerMany } from "../support/http-user.ts";
import { type LocalMesh, startLocalMesh } from "../support/local-mesh.ts";
import { namesOf, wayDown, wayUp } from "../support/message-trees.ts";
import { type OtlpReceiver, startOtlpReceiver, treeOf, withoutCalls } from "../support/otlp-receiver.ts";

const down = wayDown(true);

describe.each([
  ["sampled", "1"],
  ["not sampled", "0"],
])("the trace of a message in a mesh of roles, %s", (_name, rate) => {
  const seen = rate === "1" ? (tree: readonly string[]) => [...tree] : withoutCalls;
  const up = seen(wayUp);
  const wholeTree = [...up, ...down].sort();
  let receiver: OtlpReceiver;
  let mesh: LocalMesh;
  let urls: string[];
  let users: HttpUser[];

  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    mesh = await startLocalMesh({ CHAPPE_OTLP_URL: receiver.url, CHAPPE_TRACE_RATE: rate });
    urls = [];
    for (const name of ["login-1", "login-2"]) urls.push(`http://127.0.0.1:${(await mesh.start("login", name)).port}`);
    users = await registerMany(urls[0]!, "u", 6);
  });
  afterAll(async () => {
    await mesh.close();
    await receiver.close();
  });

  test("one to one, from one Login to another", async () => {
    const [ann, ben] = [users[0]!, users[1]!];
    const sender = await openDevice(urls[0]!, ann.token);
    const reader = await openDevice(urls[1]!, ben.token);
    const id = await sender.send(directId(ann, ben));
    // What is not sampled is late instead: all roles are told, and tell what they remember.
    await reader.receive(id, { afterMs: rate === "0" ? 1_100 : 0 });
    expect(seen(treeOf(await receiver.waitFor(id, namesOf(wholeTree))))).toEqual(wholeTree);
    sender.socket.close();
    reader.socket.close();
  });

  test("to a group with members at both Logins: a way down for each of them", async () => {
    const conversationId = await createGroup(users.slice(0, 4));
    const devices: ChatDevice[] = [];
    for (const [index, { token }] of users.slice(0, 4).entries())
      devices.push(await openDevice(urls[index % 2]!, token));
    const ids = await Promise.all(Array.from({ length: 32 }, () => devices[0]!.send(conversationId)));
    const last = ids.at(-1)!;
    await Promise.all(devices.slice(1).map((device) => device.receive(last, { afterMs: rate === "0" ? 1_100 : 0 })));
    // MsgProxy knows how many a message is for, and tells Login and Route which ones it has chosen.
    const isChosen = (id: string): boolean => receiver.ofTrace(id).length > 0;
    const id = await vi.waitFor(() => ids.find(isChosen) ?? Promise.reject(new Error("none is chosen")), 10_000);
    const twice = namesOf(down).filter((name) => name !== "device ack");
    const trace = await receiver.waitFor(id, [...namesOf(wholeTree), ...twice, "device ack", "device ack"]);
    expect(seen(treeOf(trace))).toEqual(wholeTree);
    expect(trace.filter(({ name }) => name === "login out")).toHaveLength(2);
    for (const { socket } of devices) socket.close();
  });

  test("to somebody who is offline, over HTTP", async () => {
    const [ann, ben] = [users[4]!, users[5]!];
    const id = messageId(rate === "0" ? 1_500 : 0);
    const messages = [{ clientMessageId: id, content: { text: { text: "hello" } } }];
    await ann.call("chappe.msg.v1.MessageService/Send", { conversationId: directId(ann, ben), messages });
    const tree = [...up, "push offline < process push"].sort();
    const traceId = Buffer.from(id, "base64").toString("hex");
    expect(seen(treeOf(await receiver.waitFor(traceId, namesOf(tree))))).toEqual(tree);
  });
});
