import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { listenAlso } from "./listen-also.ts";
import { listenOn } from "./listen-on.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listening(server: Server): Promise<number> {
  await listenOn(server, { host: "127.0.0.1", port: 0 });
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

test("an HTTP server answers on each of its addresses, and on none of the further ones when they are closed", async () => {
  const server = createHttpServer((request, response) => response.end(request.socket.localAddress));
  const port = await listening(server);
  const close = await listenAlso(server, { hosts: ["127.0.0.2", "127.0.0.3"], port, reusePort: false });
  const ask = async (host: string): Promise<string> =>
    (await fetch(`http://${host}:${port}/`, { headers: { connection: "close" } })).text();
  for (const host of ["127.0.0.1", "127.0.0.2", "127.0.0.3"]) expect(await ask(host)).toBe(host);
  await close();
  await expect(ask("127.0.0.2")).rejects.toThrow();
  expect(await ask("127.0.0.1")).toBe("127.0.0.1");
});

test("the bound of connections holds for all addresses together", async () => {
  const server = createServer((socket) => socket.write("hello"));
  server.maxConnections = 2;
  const port = await listening(server);
  const close = await listenAlso(server, { hosts: ["127.0.0.2"], port, reusePort: false });
  closers.push(() => void close());
  const open = async (host: string): Promise<string> => {
    const socket = connect(port, host);
    closers.push(() => socket.destroy());
    return Promise.race([once(socket, "data").then(() => "in"), once(socket, "close").then(() => "out")]);
  };
  expect(await open("127.0.0.2")).toBe("in");
  expect(await open("127.0.0.1")).toBe("in");
  expect(await open("127.0.0.2")).toBe("out");
  expect(await open("127.0.0.1")).toBe("out");
});

test("an address that is in use is named, and none stays open", async () => {
  const server = createServer();
  const port = await listening(server);
  const other = createServer();
  await listenOn(other, { host: "127.0.0.3", port });
  closers.push(() => other.close());
  const hosts = ["127.0.0.2", "127.0.0.3"];
  await expect(listenAlso(server, { hosts, port, reusePort: false })).rejects.toThrow(
    `port ${port} of 127.0.0.3 is in use`,
  );
  await listenAlso(server, { hosts: ["127.0.0.2"], port, reusePort: false }).then((close) => close());
});
