import { create, toBinary } from "@bufbuild/protobuf";
import { ConversationAckSchema, DeliveryAckSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { type Stop, startTimer } from "../timers.ts";
import type { OutgoingPacket } from "../wire/frame.ts";
import type { Feed } from "./feed.ts";

/** What acknowledgements need. */
export interface AckSenderOptions {
  readonly ackIntervalMs: number;
  readonly maxAcksPerPacket: number;
  /** Sends a packet when there is a connection; drops it when there is none. */
  readonly post: (packet: OutgoingPacket) => void;
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
    const acks = [...this.#due].map((feed) =>
      create(ConversationAckSchema, { conversationId: feed.conversationId, seq: BigInt(feed.have ?? 0) }),
    );
    for (const feed of this.#due) if (this.#recent.size < maxRecent) this.#recent.add(feed);
    this.#due.clear();
    for (let i = 0; i < acks.length; i += this.#options.maxAcksPerPacket) {
      const part = acks.slice(i, i + this.#options.maxAcksPerPacket);
      const payload = toBinary(DeliveryAckSchema, create(DeliveryAckSchema, { acks: part }));
      this.#options.post({ kind: PacketKind.ACK, svid: 0, cmd: 0, id: 0, payload });
    }
  }
}
