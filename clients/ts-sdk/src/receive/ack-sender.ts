import { create, toBinary } from "@bufbuild/protobuf";
import { ConversationAckSchema, DeliveryAckSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { type Stop, startTimer } from "../timers.ts";
import type { Tracer } from "../tracing/tracer.ts";
import type { OutgoingPacket } from "../wire/frame.ts";
import type { Feed } from "./feed.ts";

/** What acknowledgements need. */
export interface AckSenderOptions {
  readonly ackIntervalMs: number;
  readonly maxAcksPerPacket: number;
  /** Sends a packet when there is a connection; drops it when there is none. */
  readonly post: (packet: OutgoingPacket) => void;
  readonly tracer: Tracer | undefined;
}

/** Conversations whose acknowledgement is repeated after a reconnect. */
const maxRecent = 1_024;

/** Tells the server what is on this device: at once after a pause, else coalesced. Cumulative, so losing one is harmless. */
export class AckSender {
  readonly #options: AckSenderOptions;
  readonly #due = new Set<Feed>();
  /** Acknowledged on the connection of now; which of it the server has read nobody knows when the connection ends. */
  #recent = new Set<Feed>();
  #lastSentMs = Number.NEGATIVE_INFINITY;
  #scheduled = false;
  #stop: Stop = () => {};

  constructor(options: AckSenderOptions) {
    this.#options = options;
  }

  /** The feed has got further, or the server asks again. */
  due(feed: Feed): void {
    this.#due.add(feed);
    if (this.#scheduled) return;
    this.#scheduled = true;
    const waitMs = this.#lastSentMs + this.#options.ackIntervalMs - performance.now();
    if (waitMs > 0) this.#stop = startTimer(waitMs, () => this.#send());
    else queueMicrotask(() => this.#send());
  }

  /** There is a new connection: what was acknowledged on the last one is said again. */
  connected(): void {
    const recent = this.#recent;
    this.#recent = new Set();
    for (const feed of recent) this.due(feed);
  }

  close(): void {
    this.#stop();
    this.#due.clear();
  }

  #send(): void {
    this.#scheduled = false;
    this.#lastSentMs = performance.now();
    const { maxAcksPerPacket, tracer, post } = this.#options;
    const feeds = [...this.#due];
    for (const feed of feeds) if (this.#recent.size < maxRecent) this.#recent.add(feed);
    this.#due.clear();
    for (let i = 0; i < feeds.length; i += maxAcksPerPacket) {
      let traceContext: Uint8Array | undefined;
      const acks = feeds.slice(i, i + maxAcksPerPacket).map(({ key, conversationId, have = 0 }) => {
        traceContext = tracer?.acknowledging(key, have) ?? traceContext;
        return create(ConversationAckSchema, { conversationId, seq: BigInt(have) });
      });
      const payload = toBinary(DeliveryAckSchema, create(DeliveryAckSchema, { acks }));
      const packet = { kind: PacketKind.ACK, svid: 0, cmd: 0, id: 0, payload };
      post(traceContext === undefined ? packet : { ...packet, traceContext });
    }
  }
}
