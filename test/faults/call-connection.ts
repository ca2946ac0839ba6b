import { type DescMessage, type DescMethodUnary, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type ConnectionPool, MeshConnection, type OpenFrames } from "@chappe/bench/support/mesh-connection.ts";
import { type Address, encodeRequest, packetKinds } from "@chappe/bench/support/packets.ts";
import { ErrorDetailSchema } from "@chappe/gen/proto/chappe/mesh/v1/error_pb.ts";

const callTimeoutMs = 10_000;

/** The server refused a call, or the connection ended before its answer ("LOST"), or it took 10 s ("TIMEOUT"). */
export class CallError extends Error {
  readonly errorName: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number;

  constructor(errorName: string, text: string, retryable: boolean, retryAfterMs = 0) {
    super(`${errorName}: ${text}`);
    this.errorName = errorName;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }
}

interface OpenCall {
  readonly resolve: (payload: Buffer) => void;
  readonly reject: (error: CallError) => void;
  readonly timer: NodeJS.Timeout;
}

/** How to open a CallConnection. */
export interface CallConnectionOptions {
  readonly pool: ConnectionPool;
  readonly port: number;
  /** @default a WebSocket to `port` */
  readonly openSocket?: OpenFrames;
  readonly token: string;
  readonly deviceId: bigint;
  /** A server event; the payload is the listener's to keep. */
  readonly onPush: (svid: number, cmd: number, payload: Buffer) => void;
}

/** A connection with calls as promises. */
export class CallConnection {
  /** Settles when a welcomed connection has ended; all its calls have failed by then. */
  readonly ended: Promise<string>;
  readonly #connection: MeshConnection;
  readonly #calls = new Map<number, OpenCall>();
  #lastCallId = 1;
  #over = false;

  constructor(options: CallConnectionOptions) {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.ended = promise;
    this.#connection = new MeshConnection({
      ...options,
      onPacket: (packet, buffer) => {
        const payload = Buffer.from(buffer.subarray(packet.start, packet.end));
        if (packet.kind === packetKinds.push) options.onPush(packet.svid, packet.cmd, payload);
        else if (packet.kind === packetKinds.response) this.#settle(packet.id)?.resolve(payload);
        else if (packet.kind === packetKinds.error) this.#settle(packet.id)?.reject(errorOf(payload));
      },
      onClose: (code, reason) => {
        this.#failAll();
        resolve(`${code} ${reason}`);
      },
    });
  }

  /** Server's clock minus this machine's. */
  get clockOffsetMs(): number {
    return this.#connection.clockOffsetMs;
  }

  open(): Promise<void> {
    return this.#connection.open();
  }

  /** A call with encoded bytes. Rejects with CallError. */
  call(address: Address, payload: Uint8Array, affinity?: Uint8Array): Promise<Buffer> {
    if (this.#over) return Promise.reject(lost());
    const id = ++this.#lastCallId;
    return new Promise((resolve, reject) => {
      const expire = (): void => this.#settle(id)?.reject(new CallError("TIMEOUT", "no answer in time", true));
      this.#calls.set(id, { resolve, reject, timer: setTimeout(expire, callTimeoutMs) });
      this.#connection.append(encodeRequest(address, id, payload, affinity));
    });
  }

  /** A call with messages. Rejects with CallError. */
  async unary<I extends DescMessage, O extends DescMessage>(
    address: Address,
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
  ): Promise<MessageShape<O>> {
    return fromBinary(method.output, await this.call(address, toBinary(method.input, request)));
  }

  /** Everything up to `seq` was shown. */
  acknowledge(key: string, conversationId: Uint8Array, seq: number): void {
    this.#connection.acknowledge(key, conversationId, seq, performance.now());
  }

  /** Ends the connection as a lost network does; calls fail, `ended` stays open. */
  destroy(): void {
    this.#connection.destroy();
    this.#failAll();
  }

  #settle(id: number): OpenCall | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    clearTimeout(call?.timer);
    return call;
  }

  #failAll(): void {
    this.#over = true;
    for (const id of [...this.#calls.keys()]) this.#settle(id)?.reject(lost());
  }
}

const lost = (): CallError => new CallError("LOST", "the connection ended", true);

function errorOf(payload: Buffer): CallError {
  const { name, message, retryable, retryAfterMs } = fromBinary(ErrorDetailSchema, payload);
  return new CallError(name, message, retryable, retryAfterMs);
}
