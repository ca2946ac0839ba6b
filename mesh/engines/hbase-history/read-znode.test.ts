import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { readZnode } from "./read-znode.ts";

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function serve(answer: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    // One that is not read from does not notice its end.
    sockets.add(socket.on("error", () => undefined).resume());
    answer(socket);
  });
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A frame of ints, and bytes after them. */
function frame(ints: readonly number[], bytes: string = ""): Buffer {
  const buffer = Buffer.alloc(4 + ints.length * 4);
  buffer.writeInt32BE(ints.length * 4 + bytes.length);
  for (const [index, int] of ints.entries()) buffer.writeInt32BE(int, 4 + index * 4);
  return Buffer.concat([buffer, Buffer.from(bytes)]);
}

const session = frame([0, 10_000, 0, 1, 0]);

/** Answers the n-th frame that comes, one a chunk, with the n-th buffer. */
const inTurn =
  (...answers: readonly Buffer[]) =>
  (socket: Socket): void => {
    const left = [...answers];
    socket.on("data", () => socket.write(left.shift() ?? Buffer.alloc(0)));
  };

test("reads what a node holds, in pieces of any size", async () => {
  const bytes = Buffer.concat([session, frame([1, 0, 7, 0, 4], "data and more")]);
  const server = await serve((socket) => {
    const write = (at: number): void => {
      socket.write(bytes.subarray(at, at + 1));
      if (at + 1 < bytes.length) setImmediate(write, at + 1);
    };
    write(0);
  });
  expect((await readZnode(server, "/a", 5_000)).toString()).toBe("data");
});

test.each<[string, (socket: Socket) => void, RegExp]>([
  ["is silent", () => undefined, /does not answer/],
  ["is silent after it has opened a session", inTurn(session), /does not answer/],
  ["hangs up", (socket) => socket.end(), /ends the connection/],
  ["refuses a session", inTurn(frame([0, 0, 0, 0, 0])), /refuses a session/],
  ["has no such node", inTurn(session, frame([1, 0, 7, -101])), /no \/a, error -101/],
  ["has nothing in it", inTurn(session, frame([1, 0, 7, 0, -1])), /is empty/],
  ["says less than it announces", inTurn(session, frame([1, 0, 7, 0, 400], "x")), /is empty/],
  ["speaks another protocol", (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"), /another protocol/],
  ["speaks in frames that are too short", inTurn(frame([])), /ZooKeeper at/],
])("a server that %s is named, and let go", async (_what, answer, reason) => {
  const server = await serve(answer);
  const closed = new Promise<void>((resolve) => {
    servers[0]!.once("connection", (socket) => socket.once("close", () => resolve()));
  });
  const failed = expect(readZnode(server, "/a", 300)).rejects;
  await failed.toMatchObject({ kind: "lost", message: expect.stringMatching(reason) });
  await closed;
});
