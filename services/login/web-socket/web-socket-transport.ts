import type { Socket } from "node:net";
import { type CloseRow, closeCodes } from "@chappe/gen/errors.ts";
import { WebSocket } from "ws";
import type { Session } from "../session.ts";
import type { Outgoing, Transport } from "../transport.ts";
import type { FrameWriter } from "./frame-writer.ts";

const tooLarge = closeCodes.FRAME_TOO_LARGE.code;

/**
 * A WebSocket as a transport. The ws library reads, answers pings and closes; frames of packets are written straight
 * to the TCP socket, whole, so that they never mix with those of ws. No perMessageDeflate: ws must not keep frames back.
 */
export class WebSocketTransport extends WebSocket implements Transport {
  readonly kind = "webSocket";
  #session: Session | undefined;
  #tcp: Socket | undefined;
  #frames: FrameWriter | undefined;

  /** Joins socket and session; frames flow from now on. */
  bind(session: Session, tcp: Socket, frames: FrameWriter): void {
    this.#session = session;
    this.#tcp = tcp;
    this.#frames = frames;
    this.on("message", onMessage);
    this.on("ping", onPing);
    this.on("close", onClose);
    this.on("error", onError);
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get waitingBytes(): number {
    return this.#tcp?.writableLength ?? 0;
  }

  get givenBytes(): number {
    return this.#tcp?.bytesWritten ?? 0;
  }

  writeFrame(first: Outgoing, rest: readonly Outgoing[] | undefined, batchBytes: number): boolean {
    if (this.readyState !== WebSocket.OPEN) return true;
    return this.#tcp!.write(this.#frames!.frame(first, rest, batchBytes));
  }

  onceDrained(listener: () => void): void {
    this.#tcp?.once("drain", listener);
  }

  end(close: CloseRow): void {
    super.close(close.code, close.name);
  }

  /** Also called by ws itself, with 1009 for a frame over maxPayload: the client is told why before the close goes out. */
  override close(code?: number, data?: string | Buffer): void {
    if (code === tooLarge && this.readyState === WebSocket.OPEN) this.#session?.onFrameTooLarge();
    super.close(code, data);
  }
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  // ws gives views into the chunk read from the socket and never writes to them again, so that nothing is copied here:
  // who keeps a payload keeps that chunk (at most 64 KiB) alive.
  (this as WebSocketTransport).session?.onFrame(data as Buffer, isBinary);
}

function onPing(this: WebSocket): void {
  (this as WebSocketTransport).session?.onPing();
}

function onClose(this: WebSocket): void {
  (this as WebSocketTransport).session?.onTransportClosed();
}

/** Broken frames and resets: ws closes the socket by itself and "close" follows. */
function onError(): void {}
