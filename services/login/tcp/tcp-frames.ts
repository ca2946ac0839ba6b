import { limits } from "@chappe/mesh/limits.ts";

const headerBytes = 4;

/** What stands before each frame on TCP: its length as uint32, big-endian. */
export function lengthHeader(payloadBytes: number): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeUInt32BE(payloadBytes);
  return header;
}

/** Whom a TcpFrames tells. */
export interface FrameSink {
  /** Largest frame taken now. */
  readonly maxFrameBytes: number;
  /** Over: what comes is not looked at. */
  readonly ended: boolean;
  onFrame(frame: Buffer): void;
  onFrameTooLarge(): void;
}

/**
 * Cuts the byte stream of a connection into frames. Whole frames are views into what was read; one in pieces gathers in
 * a buffer that grows with what has come and not with what was announced.
 */
export class TcpFrames {
  #pieces: Buffer | undefined = undefined;
  #pieceBytes = 0;

  /** Whether a frame has begun and not ended. */
  get isInFrame(): boolean {
    return this.#pieces !== undefined;
  }

  /** Takes what was read from the socket. */
  push(chunk: Buffer, sink: FrameSink): void {
    let at = 0;
    while (at < chunk.length && !sink.ended) {
      if (this.#pieces !== undefined) at += this.#gather(chunk, at, sink);
      else {
        const bytes = chunk.length - at < headerBytes ? -1 : chunk.readUInt32BE(at);
        if (bytes > sink.maxFrameBytes) {
          sink.onFrameTooLarge();
          return;
        }
        const end = at + headerBytes + bytes;
        if (bytes < 0 || end > chunk.length) at += this.#gather(chunk, at, sink);
        else {
          sink.onFrame(chunk.subarray(at + headerBytes, end));
          at = end;
        }
      }
    }
  }

  /** Takes bytes of a frame in pieces; answers how many. */
  #gather(chunk: Buffer, at: number, sink: FrameSink): number {
    const wanted = this.#wantedBytes() - this.#pieceBytes;
    const taken = Math.min(wanted, chunk.length - at);
    const room = this.#roomFor(this.#pieceBytes + taken);
    chunk.copy(room, this.#pieceBytes, at, at + taken);
    this.#pieceBytes += taken;
    if (taken < wanted) return taken;
    const frameBytes = room.readUInt32BE(0);
    if (frameBytes > sink.maxFrameBytes) sink.onFrameTooLarge();
    else if (this.#pieceBytes === headerBytes + frameBytes) {
      this.#pieces = undefined;
      this.#pieceBytes = 0;
      sink.onFrame(room.subarray(headerBytes, headerBytes + frameBytes));
    }
    return taken;
  }

  /** The header first, then the frame it announces. */
  #wantedBytes(): number {
    if (this.#pieces === undefined || this.#pieceBytes < headerBytes) return headerBytes;
    return headerBytes + this.#pieces.readUInt32BE(0);
  }

  #roomFor(bytes: number): Buffer {
    const pieces = this.#pieces;
    if (pieces !== undefined && pieces.length >= bytes) return pieces;
    const larger = Buffer.alloc(Math.max(bytes, limits.tcpPieceStartBytes, 2 * (pieces?.length ?? 0)));
    pieces?.copy(larger, 0, 0, this.#pieceBytes);
    this.#pieces = larger;
    return larger;
  }
}
