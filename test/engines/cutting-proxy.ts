import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** What happens to the connection that sends the next COMMIT. */
export type Cut =
  /** The server never gets it. */
  | "before"
  /** The server does it; the client never hears. */
  | "after"
  /** The client is cut at once; the server gets it when `releaseCommit` is called. */
  | "late";

/** A TCP proxy in front of a MySQL server that cuts connections at COMMIT. */
export interface CuttingProxy {
  readonly port: number;
  /** Settles when a connection was cut so. */
  cutNext(cut: Cut): Promise<void>;
  /** Lets go of a COMMIT that is late, and of its connection. */
  releaseCommit(): void;
  /** True: all connections are cut, and new ones as soon as they come. */
  refuse(refused: boolean): void;
  close(): Promise<void>;
}

const commit = Buffer.from("COMMIT");
const isCommit = (chunk: Buffer): boolean => chunk.subarray(-commit.length).equals(commit);

/** Starts one on a free port of 127.0.0.1. */
export async function startCuttingProxy(target: { host: string; port: number }): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let next: { cut: Cut; done: () => void } | undefined;
  let release = (): void => undefined;
  let refused = false;

  const cutAt = (client: Socket, server: Socket, chunk: Buffer): void => {
    const { cut, done } = next!;
    next = undefined;
    const end = (): void => {
      client.destroy();
      done();
    };
    if (cut === "before") server.destroy();
    if (cut === "after") {
      server.removeAllListeners("data").once("data", () => {
        server.destroy();
        end();
      });
      server.write(chunk);
      return;
    }
    if (cut === "late") {
      server.removeAllListeners("data").removeAllListeners("close");
      release = () => {
        server.once("data", () => server.destroy()).resume();
        server.write(chunk);
      };
    }
    client.removeAllListeners("close");
    end();
  };

  const listener = createServer((client) => {
    if (refused) return void client.destroy();
    const server = connect(target);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
    }
    client.on("data", (chunk: Buffer) => {
      if (next !== undefined && isCommit(chunk)) cutAt(client, server, chunk);
      else server.write(chunk);
    });
    server.on("data", (chunk) => client.write(chunk));
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    port: (listener.address() as AddressInfo).port,
    cutNext: (cut) =>
      new Promise((done) => {
        next = { cut, done };
      }),
    releaseCommit: () => release(),
    refuse(value) {
      refused = value;
      if (value) for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, "close");
    },
  };
}
