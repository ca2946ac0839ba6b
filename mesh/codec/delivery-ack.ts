/** DeliveryAck of chappe.edge.v1. Free of Node modules, so that it also runs in browsers. */
import { limits } from "../limits.ts";
import { encodeExact } from "./byte-writer.ts";
import { emptyBytes, WireReader } from "./wire-reader.ts";
import { bytesFieldSize, delimitedSize, numberFieldSize } from "./wire-size.ts";

/** chappe.edge.v1.ConversationAck: everything up to `seq` is on the device. */
export interface ConversationAck {
  /** 16 bytes when well formed, which the decoder does not check; a view into the input when decoded. */
  readonly conversationId: Uint8Array;
  readonly seq: number;
}

/** How an ack is decoded. */
export interface DeliveryAckOptions {
  /** More conversations are rejected. @default limits.maxUnackedConversations */
  readonly maxAcks?: number;
}

const acksTag = 0x0a;

/** An encoded DeliveryAck. */
export function encodeDeliveryAck(acks: readonly ConversationAck[]): Uint8Array {
  let size = 0;
  for (const ack of acks) size += delimitedSize(ackSize(ack));
  return encodeExact(size, (writer) => {
    for (const ack of acks) {
      writer.head(acksTag, ackSize(ack));
      writer.bytesField(0x0a, ack.conversationId);
      writer.numberField(0x10, ack.seq);
    }
  });
}

/** Decodes a DeliveryAck; ids are views into `bytes`. MALFORMED_FRAME when it is none or holds too many. */
export function decodeDeliveryAck(bytes: Uint8Array, options: DeliveryAckOptions = {}): ConversationAck[] {
  const maxAcks = options.maxAcks ?? limits.maxUnackedConversations;
  const reader = new WireReader(bytes, "MALFORMED_FRAME");
  const acks: ConversationAck[] = [];
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag !== acksTag) {
      reader.skip(tag);
      continue;
    }
    if (acks.length >= maxAcks) reader.fail(`more than ${maxAcks} acknowledgements`);
    const outer = reader.enter();
    acks.push(readAck(reader));
    reader.leave(outer);
  }
  return acks;
}

function ackSize(ack: ConversationAck): number {
  return bytesFieldSize(ack.conversationId) + numberFieldSize(ack.seq);
}

function readAck(reader: WireReader): ConversationAck {
  let conversationId = emptyBytes;
  let seq = 0;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x0a) conversationId = reader.view();
    else if (tag === 0x10) seq = reader.number();
    else reader.skip(tag);
  }
  return { conversationId, seq };
}
