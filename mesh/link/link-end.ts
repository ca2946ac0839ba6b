import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { ByteWriter } from "../codec/byte-writer.ts";
import { appendGoingAway, appendLinkPacket, decodeLinkFrame, type LinkPacket } from "../codec/link-packet.ts";
import { emptyBytes } from "../codec/wire-reader.ts";
import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";
import type { Call, Router } from "../rpc/call.ts";
import { decodeError, encodeError } from "../rpc/connect-errors.ts";
import { publicIdentity } from "../rpc/identity.ts";
import type { TimerWheel } from "../timers/timer-wheel.ts";
import { WheelTimer } from "../timers/timer-wheel.ts";
import { createTurnPacer } from "../timers/turn-pacer.ts";
import type { Link, LinkPeer, LinkStats } from "./link.ts";
import { PendingCalls } from "./pending-calls.ts";

/** The stream below: whole frames, in order. */
export interface FrameStream {
  /** False = wait for `onDrain` if possible. */
  write(frame: Uint8Array): boolean;
  /** Ends it now. */
  destroy(): void;
}

/** What a LinkEnd needs. */
export interface LinkEndOptions {
  readonly peer: LinkPeer;
  readonly stream: FrameStream;
  /** Answers the other end's calls. */
  readonly handler: Router;
  readonly wheel: TimerWheel;
}

const noPacket = { svid: 0, cmd: 0, affinity: emptyBytes, timeoutMs: 0, traceContext: emptyBytes };
const answerFields = { ...noPacket, caller: publicIdentity, target: "", clientAddress: "" };

/** Link over any stream of frames; its owner feeds `onFrame`, `onDrain` and `onStreamClosed`. As a timer it is its own sign of life. */
export class LinkEnd extends WheelTimer implements Link {
  readonly peer: LinkPeer;
  readonly closed: Promise<void>;
  readonly #options: LinkEndOptions;
  readonly #calls = new PendingCalls();
  readonly #writer = new ByteWriter(limits.linkFrameBytes);
  readonly #pacer = createTurnPacer({ run: () => this.#flush(), busyItems: limits.busyTurnItems, intervalMs: 0 });
  #onClosed: () => void = () => undefined;
  #ended = false;
  #goingAway = false;
  #writable = true;
  #waitingPackets = 0;
  #inHand = 0;
  #packetsOut = 0;
  #packetsIn = 0;
  #framesOut = 0;
  #heardMs: number;
  #saidMs: number;

  constructor(options: LinkEndOptions) {
    super();
    this.#options = options;
    this.peer = options.peer;
    this.#heardMs = this.#saidMs = options.wheel.now();
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    options.wheel.schedule(this, limits.linkTickMs);
  }

  get isOpen(): boolean {
    return !this.#ended && !this.#goingAway;
  }

  call(call: Call): Promise<Uint8Array> {
    if (this.#ended) return Promise.reject(new ChappeError("UNAVAILABLE"));
    if (this.#calls.isFull || this.#writer.length > limits.maxLinkWaitingBytes)
      return Promise.reject(new ChappeError("OVERLOADED", "Too much waits for the other process."));
    if (call.signal?.aborted === true) return Promise.reject(new ChappeError("CANCELLED"));
    const timeoutMs = Math.ceil(call.deadlineMs - Date.now());
    if (timeoutMs <= 0) return Promise.reject(new ChappeError("DEADLINE_EXCEEDED"));
    return new Promise((resolve, reject) => {
      const id = this.#calls.add(resolve, reject, call);
      const { svid, cmd, affinity, traceContext, payload, identity: caller } = call;
      const { target = "", clientAddress = "" } = call;
      const kind = PacketKind.REQUEST;
      this.#send({ kind, svid, cmd, id, affinity, timeoutMs, traceContext, caller, target, clientAddress, payload });
    });
  }

  stats(): LinkStats {
    return {
      callsInFlight: this.#calls.size,
      callsInHand: this.#inHand,
      packetsOut: this.#packetsOut,
      packetsIn: this.#packetsIn,
      framesOut: this.#framesOut,
      waitingBytes: this.#writer.length,
    };
  }

  goAway(): void {
    if (!this.isOpen) return;
    this.#goingAway = true;
    appendGoingAway(this.#writer);
    this.#waitingPackets++;
    this.#pacer.runNow();
    this.#flush();
  }

  close(): void {
    this.#end();
  }

  /** A frame after the hello came in. */
  onFrame(frame: Uint8Array): void {
    if (this.#ended) return;
    this.#heardMs = this.#options.wheel.now();
    try {
      const { packets, goingAway } = decodeLinkFrame(frame);
      if (goingAway) this.#goingAway = true;
      this.#packetsIn += packets.length;
      for (const packet of packets) this.#onPacket(packet);
    } catch {
      this.#end();
    }
  }

  /** The stream takes frames again. */
  onDrain(): void {
    this.#writable = true;
    this.#flush();
  }

  /** The stream has ended. */
  onStreamClosed(): void {
    this.#end();
  }

  override onTimer(nowMs: number): void {
    if (nowMs - this.#heardMs > limits.linkSilenceMs) {
      this.#end();
      return;
    }
    this.#calls.expire(Date.now());
    if (nowMs - this.#saidMs >= limits.linkHeartbeatMs && this.#waitingPackets === 0) this.#write(emptyBytes);
    this.#options.wheel.schedule(this, limits.linkTickMs);
  }

  #onPacket(packet: LinkPacket): void {
    const { kind, id, payload } = packet;
    if (kind === PacketKind.RESPONSE) this.#calls.settle(id, payload);
    else if (kind === PacketKind.ERROR) this.#calls.fail(id, decodeError(payload));
    else if (kind === PacketKind.REQUEST && id !== 0) this.#onRequest(packet);
    else throw new ChappeError("MALFORMED_FRAME");
  }

  #onRequest(packet: LinkPacket): void {
    const { id } = packet;
    if (this.#inHand >= limits.maxLinkCallsInHand) {
      this.#answerError(id, new ChappeError("OVERLOADED", "Too many calls are in hand."));
      return;
    }
    this.#inHand++;
    this.#handle(packet).then(
      (payload) => {
        this.#inHand--;
        this.#answer(PacketKind.RESPONSE, id, payload);
      },
      (error: unknown) => {
        this.#inHand--;
        this.#answerError(id, error);
      },
    );
  }

  #handle(packet: LinkPacket): Promise<Uint8Array> {
    const { svid, cmd, payload, affinity, timeoutMs, traceContext, caller: identity, target, clientAddress } = packet;
    const deadlineMs = Date.now() + Math.min(timeoutMs || limits.defaultCallTimeoutMs, limits.maxCallTimeoutMs);
    const call = { svid, cmd, payload, identity, affinity, deadlineMs, traceContext };
    try {
      return this.#options.handler.call(
        target === "" && clientAddress === ""
          ? call
          : { ...call, ...(target !== "" && { target }), ...(clientAddress !== "" && { clientAddress }) },
      );
    } catch (error) {
      return Promise.reject(ChappeError.from(error));
    }
  }

  #answerError(id: number, error: unknown): void {
    this.#answer(PacketKind.ERROR, id, encodeError(error));
  }

  #answer(kind: PacketKind, id: number, payload: Uint8Array): void {
    if (!this.#ended) this.#send({ ...answerFields, kind, id, payload });
  }

  #send(packet: LinkPacket): void {
    appendLinkPacket(this.#writer, packet);
    this.#packetsOut++;
    this.#waitingPackets++;
    if (this.#writer.length >= limits.linkFrameBytes || this.#waitingPackets >= limits.maxLinkPacketsPerFrame) {
      if (this.#writable) this.#flush();
    } else if (this.#waitingPackets === 1) this.#pacer.request();
  }

  /** Frames are cut by what the other end takes, which is more than a turn makes unless the stream was stalled. */
  #flush(): number {
    const packets = this.#waitingPackets;
    if (packets === 0 || !this.#writable || this.#ended) return 0;
    this.#waitingPackets = 0;
    this.#write(this.#writer.finish());
    return packets;
  }

  #write(frame: Uint8Array): void {
    this.#framesOut++;
    this.#saidMs = this.#options.wheel.now();
    this.#writable = this.#options.stream.write(frame);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.wheel.cancel(this);
    this.#options.stream.destroy();
    this.#calls.failAll(new ChappeError("UNAVAILABLE", "The other process went away."));
    this.#onClosed();
  }
}
