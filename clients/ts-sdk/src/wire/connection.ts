import { fromBinary } from "@bufbuild/protobuf";
import { ErrorDetailSchema } from "@chappe/gen/proto/chappe/mesh/v1/error_pb.ts";
import { type Packet, PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { ChappeClientError } from "../client-error.ts";
import type { ClientLimits } from "../limits.ts";
import { cancelled, startTimer } from "../timers.ts";
import { CallTable } from "./call-table.ts";
import { decodeFrame, encodeFrame, type OutgoingPacket, packetSizeBytes } from "./frame.ts";

/** A call as bytes. */
export interface RawCall {
  readonly svid: number;
  readonly cmd: number;
  readonly payload: Uint8Array;
  readonly affinity?: Uint8Array;
  readonly traceContext?: Uint8Array;
  /** @default limits.callTimeoutMs */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How a connection ended. */
export interface ConnectionEnd {
  /** WebSocket close code; 1006 when none came. */
  readonly code: number;
  readonly reason: string;
  /** Set when the server refused the connection as such. */
  readonly error: ChappeClientError | undefined;
}

/** What a connection needs. */
export interface ConnectionOptions {
  /** ws: or wss:. */
  readonly url: string;
  readonly WebSocket: new (url: string) => WebSocket;
  readonly limits: ClientLimits;
  readonly onEvent: (svid: number, cmd: number, payload: Uint8Array, traceContext: Uint8Array) => void;
}

/** One WebSocket with its calls. Knows nothing of sessions. */
export class Connection {
  /** Settles when the connection is over; never rejects. */
  readonly ended: Promise<ConnectionEnd>;
  /** Largest frame the server takes, in bytes. */
  maxFrameBytes: number;
  readonly #socket: WebSocket;
  readonly #options: ConnectionOptions;
  readonly #calls: CallTable;
  readonly #opened: Promise<void>;
  #queue: OutgoingPacket[] = [];
  #end: (end: ConnectionEnd) => void = () => {};
  #isOver = false;
  #refusal: ChappeClientError | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.maxFrameBytes = options.limits.maxHelloFrameBytes;
    this.#calls = new CallTable(options.limits.maxCallsInFlight);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const socket = new options.WebSocket(options.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#opened = new Promise((resolve) => socket.addEventListener("open", () => resolve(), { once: true }));
    socket.addEventListener("message", (event) => this.#onMessage(event.data));
    socket.addEventListener("close", (event) => this.#finish(event.code, event.reason));
    // The close event that follows says all there is to know.
    socket.addEventListener("error", () => {});
  }

  /** Settles when packets can be sent. Rejects UNAVAILABLE, DEADLINE_EXCEEDED or CANCELLED, and closes then. */
  async open(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const failure = Promise.withResolvers<never>();
    const stop = startTimer(timeoutMs, () =>
      failure.reject(new ChappeClientError("DEADLINE_EXCEEDED", "no connection in time")),
    );
    const abort = (): void => failure.reject(cancelled(signal));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    const refused = this.ended.then(({ code, reason }) => {
      throw new ChappeClientError(
        "UNAVAILABLE",
        `the connection failed (${code}${reason === "" ? "" : `, ${reason}`})`,
      );
    });
    try {
      await Promise.race([this.#opened, refused, failure.promise]);
    } catch (error) {
      this.close(1000, "gave up");
      throw error;
    } finally {
      refused.catch(() => {});
      stop();
      signal.removeEventListener("abort", abort);
    }
  }

  /** Makes a call. Rejects with the server's error, UNAVAILABLE when the connection ends, OVERLOADED, CANCELLED. */
  call(call: RawCall): Promise<Uint8Array> {
    const timeoutMs = call.timeoutMs ?? this.#options.limits.callTimeoutMs;
    return this.#calls.open({ timeoutMs, signal: call.signal }, (id) => {
      const { svid, cmd, payload, affinity, traceContext } = call;
      this.post({
        kind: PacketKind.REQUEST,
        svid,
        cmd,
        id,
        payload,
        timeoutMs: Math.ceil(timeoutMs),
        ...(affinity === undefined ? {} : { affinity }),
        ...(traceContext === undefined ? {} : { traceContext }),
      });
    });
  }

  /** Sends a packet together with all others of this turn of the event loop. */
  post(packet: OutgoingPacket): void {
    if (this.#isOver) return;
    if (this.#queue.push(packet) === 1) queueMicrotask(() => this.#flush());
  }

  /** Ends the connection from this side; `code` is what `ended` will say. */
  close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#flush();
    const sendable = code === 1000 || (code >= 3000 && code <= 4999);
    this.#finish(code, reason);
    this.#socket.close(sendable ? code : 1000, reason);
  }

  #flush(): void {
    const packets = this.#queue;
    this.#queue = [];
    if (this.#isOver || this.#socket.readyState !== 1) return;
    let start = 0;
    let bytes = 0;
    for (let i = 0; i < packets.length; i++) {
      const size = packetSizeBytes(packets[i]!);
      const full = bytes + size > this.maxFrameBytes || i - start >= this.#options.limits.maxPacketsPerFrame;
      if (full && i > start) {
        this.#socket.send(encodeFrame(packets.slice(start, i)));
        start = i;
        bytes = 0;
      }
      bytes += size;
    }
    if (start < packets.length) this.#socket.send(encodeFrame(start === 0 ? packets : packets.slice(start)));
  }

  #onMessage(data: unknown): void {
    if (this.#isOver) return;
    let packets: readonly Packet[];
    try {
      packets = decodeFrame(new Uint8Array(data as ArrayBuffer));
    } catch {
      this.close(4000, "the server's frame is not a PacketBatch");
      return;
    }
    for (const packet of packets) this.#onPacket(packet);
  }

  #onPacket(packet: Packet): void {
    switch (packet.kind) {
      case PacketKind.RESPONSE:
        this.#calls.answer(packet.id, packet.payload);
        break;
      case PacketKind.ERROR: {
        const error = readError(packet.payload);
        if (packet.id === 0) this.#refusal = error;
        else this.#calls.answer(packet.id, error);
        break;
      }
      case PacketKind.PUSH:
        this.#options.onEvent(packet.svid, packet.cmd, packet.payload, packet.traceContext);
        break;
      default:
        break;
    }
  }

  #finish(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#queue = [];
    this.#end({ code, reason, error: this.#refusal });
    this.#calls.fail(new ChappeClientError("UNAVAILABLE", `the connection ended (${code})`));
  }
}

function readError(payload: Uint8Array): ChappeClientError {
  try {
    return ChappeClientError.fromDetail(fromBinary(ErrorDetailSchema, payload));
  } catch (cause) {
    return new ChappeClientError("INTERNAL", "the server sent an error that cannot be read", { cause });
  }
}
