import { HbaseFailure } from "./hbase-failure.ts";
import type { HbaseLibrary, LibraryConnection, MultiResponse, ScanResponse } from "./hbase-library.ts";

/** What openRegionServer needs. */
export interface RegionServerOptions {
  readonly library: HbaseLibrary;
  /** host:port */
  readonly address: string;
  /** Of the connection attempt and of each call. */
  readonly timeoutMs: number;
  readonly onClosed: () => void;
}

/** A connection to one server. Everything rejects with HbaseFailure; a call that is late closes the connection. */
export class RegionServer {
  readonly #connection: LibraryConnection;
  readonly #onClosed: () => void;
  /** Rejections of those who wait. */
  readonly #waiting = new Set<(failure: HbaseFailure) => void>();
  #ended: HbaseFailure | undefined;
  readonly #opened: Promise<void>;

  constructor({ library, address, timeoutMs, onClosed }: RegionServerOptions) {
    const at = address.lastIndexOf(":");
    const [host, port] = [address.slice(0, at), Number(address.slice(at + 1))];
    const common = { tcpNoDelay: true, tcpKeepAlive: true, effectiveUser: "chappe" };
    this.#onClosed = onClosed;
    this.#connection = new library.Connection({ host, port, callTimeout: timeoutMs, ...common });
    this.#opened = new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#end(`${address} does not answer`), timeoutMs);
      this.#waiting.add(reject);
      this.#connection.once("connect", () => {
        clearTimeout(timer);
        this.#waiting.delete(reject);
        resolve();
      });
      this.#connection.once("close", () => {
        clearTimeout(timer);
        this.#end(`the connection to ${address} is lost`);
      });
    });
    this.#opened.catch(() => undefined);
  }

  multi(request: object): Promise<MultiResponse> {
    return this.#call((done) => this.#connection.rpc.Multi(request, done));
  }

  scan(request: object): Promise<ScanResponse> {
    return this.#call((done) => this.#connection.rpc.Scan(request, done));
  }

  close(): void {
    this.#end("the connection is closed");
  }

  async #call<T>(send: (done: (error: unknown, response: T) => void) => void): Promise<T> {
    await this.#opened;
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      this.#waiting.add(reject);
      this.#gather();
      send((error, response) => {
        this.#waiting.delete(reject);
        if (error === null || error === undefined) return resolve(response);
        const failure = HbaseFailure.ofCall(error);
        reject(failure);
        if (failure.kind === "lost") this.#end(failure.message);
      });
    });
  }

  /** The library writes a call in five pieces: those of one turn go out as one. */
  #gather(): void {
    const { socket } = this.#connection;
    if (socket.writableCorked > 0) return;
    socket.cork();
    setImmediate(() => socket.uncork());
  }

  #end(why: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = new HbaseFailure("lost", why);
    for (const reject of this.#waiting) reject(this.#ended);
    this.#waiting.clear();
    for (const { timer } of Object.values(this.#connection.calls)) clearTimeout(timer);
    // The library ends the socket on an error and again on its close.
    this.#connection.socket.destroy();
    this.#onClosed();
  }
}
