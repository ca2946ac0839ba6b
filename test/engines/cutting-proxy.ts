import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** What happens to the connection that sends the next COMMIT. */
export type Cut =
  /** The server never gets it. */
  | "before"
  /** The server does it; the client never hears. */
  | "after"
  /** The client is cut at once; the server gets it when `releaseCommit` is called. */
  | "late"
  /** Nobody is cut and nobody hears anything, as when the client's machine stands still. */
  | "held";

const commit = Buffer.from("COMMIT");
const isCommit = (chunk: Buffer): boolean => chunk.subarray(-commit.length).equals(commit);

/** A TCP proxy in front of a MySQL server that cuts connections at COMMIT. */
export class CuttingProxy {
  readonly #sockets = new Set<Socket>();
  readonly #listener: Server;
  #next: { readonly cut: Cut; readonly done: () => void } | undefined;
  #release = (): void => undefined;
  #refused = false;

  constructor(target: { readonly host: string; readonly port: number }) {
    this.#listener = createServer((client) => {
      if (this.#refused) client.destroy();
      else this.#join(client, connect(target));
    });
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    this.#listener.listen(0, "127.0.0.1");
    await once(this.#listener, "listening");
  }

  /** Settles when a connection was cut so. */
  cutNext(cut: Cut): Promise<void> {
    return new Promise((done) => {
      this.#next = { cut, done };
    });
  }

  /** Lets go of a COMMIT that is late, and of its connection. */
  releaseCommit(): void {
    this.#release();
  }

  /** True: all connections are cut, and new ones as soon as they come. */
  refuse(refused: boolean): void {
    this.#refused = refused;
    if (refused) for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#listener.close();
    await once(this.#listener, "close");
  }

  #join(client: Socket, server: Socket): void {
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
    }
    client.on("data", (chunk: Buffer) => {
      if (this.#next !== undefined && isCommit(chunk)) this.#cut(client, server, chunk);
      else server.write(chunk);
    });
    server.on("data", (chunk) => client.write(chunk));
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  }

  #cut(client: Socket, server: Socket, chunk: Buffer): void {
    const { cut, done } = this.#next!;
    this.#next = undefined;
    if (cut === "held") return done();
    const end = (): void => {
      client.destroy();
      done();
    };
    const endWithAnswer = (then: () => void): void => {
      server.removeAllListeners("data").once("data", () => {
        server.destroy();
        then();
      });
      server.write(chunk);
    };
    if (cut === "after") return endWithAnswer(end);
    if (cut === "before") server.destroy();
    else {
      client.removeAllListeners("close");
      this.#release = () => endWithAnswer(() => undefined);
    }
    end();
  }
}

/** Starts one on a free port of 127.0.0.1. */
export async function startCuttingProxy(target: {
  readonly host: string;
  readonly port: number;
}): Promise<CuttingProxy> {
  const proxy = new CuttingProxy(target);
  await proxy.listen();
  return proxy;
}
