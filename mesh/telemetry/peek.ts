/** Offsets of ids in encoded messages, found without decoding them: for roles to whom payloads are opaque. */
import { idWordAt } from "./id-word.ts";

const conversationIdTag = 0x0a;
const itemTag = 0x12;
const idBytes = 16;
/** Tag, length and id. */
const idFieldBytes = 18;

/** Where the 16 bytes of the first field are; -1 when the payload does not begin with such a field. */
export function peekConversation(payload: Uint8Array): number {
  return payload.length >= idFieldBytes && payload[0] === conversationIdTag && payload[1] === idBytes ? 2 : -1;
}

/** Length of the varint at `at`, in bytes. */
function varintLength(payload: Uint8Array, at: number): number {
  let length = 1;
  while (payload[at + length - 1]! >= 0x80) length++;
  return length;
}

function varintValue(payload: Uint8Array, at: number): number {
  let value = 0;
  let scale = 1;
  for (let i = at; i < payload.length; i++) {
    value += (payload[i]! & 0x7f) * scale;
    if (payload[i]! < 0x80) break;
    scale *= 0x80;
  }
  return value;
}

/**
 * In an encoded SendRequest, where the client message id of the next message is, from the offset of an item on (that after
 * the conversation for the first). -1 = there is none, or it has another form than our encoders write.
 */
export function peekSendId(payload: Uint8Array, itemAt: number): number {
  if (payload[itemAt] !== itemTag) return -1;
  const at = itemAt + 1 + varintLength(payload, itemAt + 1);
  return payload[at] === 0x0a && payload[at + 1] === idBytes && at + idFieldBytes <= payload.length ? at + 2 : -1;
}

/** Offset of the item after the one at `itemAt`; the payload's length or more at the end. */
export function nextItem(payload: Uint8Array, itemAt: number): number {
  const lengthAt = itemAt + 1;
  return lengthAt + varintLength(payload, lengthAt) + varintValue(payload, lengthAt);
}

/** Where the first item of a payload is that begins with a conversation id. */
export const firstItemAt: number = idFieldBytes;

/** In an encoded MessageArrived, where the client message id of the first message is; -1 = not found. */
export function peekArrivedId(payload: Uint8Array): number {
  if (peekConversation(payload) < 0 || payload[firstItemAt] !== itemTag) return -1;
  const seqAt = firstItemAt + 1 + varintLength(payload, firstItemAt + 1);
  if (payload[seqAt] !== 0x08) return -1;
  const senderAt = seqAt + 1 + varintLength(payload, seqAt + 1);
  const idAt = senderAt + 9;
  if (payload[senderAt] !== 0x11 || payload[idAt] !== 0x1a || payload[idAt + 1] !== idBytes) return -1;
  return idAt + idFieldBytes <= payload.length ? idAt + 2 : -1;
}

/** 32 bits of a conversation id at an offset, never 0. */
export function conversationHashAt(bytes: Uint8Array, at: number): number {
  let hash = 0x811c9dc5;
  for (let i = at; i < at + idBytes; i += 4) {
    hash = Math.imul(hash ^ idWordAt(bytes, i), 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  return (hash | 1) >>> 0;
}

/** Told of a message delivery in an encoded DeliverRequest; `conversationAt` = offset of the 16 bytes. */
export type VisitDelivery = (conversationAt: number, firstSeq: number, lastSeq: number) => void;

/** Offset after a field whose tag is at `at`; -1 = a kind of field that deliveries do not have. */
function afterField(payload: Uint8Array, at: number): number {
  const kind = payload[at]! & 7;
  if (kind === 0) return at + 1 + varintLength(payload, at + 1);
  if (kind === 1) return at + 9;
  return kind === 2 ? nextItem(payload, at) : -1;
}

/**
 * Visits the deliveries of messages in an encoded DeliverRequest; stops at what it does not know. True = some message in it
 * is traced.
 */
export function peekDeliveries(payload: Uint8Array, visit: VisitDelivery): boolean {
  let isTraced = false;
  for (let item = 0; payload[item] === conversationIdTag; item = nextItem(payload, item)) {
    let conversationAt = -1;
    let firstSeq = 0;
    let lastSeq = 0;
    const end = Math.min(payload.length, nextItem(payload, item));
    for (let at = item + 1 + varintLength(payload, item + 1); at >= 0 && at < end; at = afterField(payload, at)) {
      const tag = payload[at]!;
      if (tag === 0x2a && payload[at + 1] === idBytes) conversationAt = at + 2;
      else if (tag === 0x30) lastSeq = varintValue(payload, at + 1);
      else if (tag === 0x40) firstSeq = varintValue(payload, at + 1);
      else if (tag === 0x3a) isTraced = true;
    }
    if (conversationAt >= 0 && lastSeq > 0) visit(conversationAt, firstSeq === 0 ? lastSeq : firstSeq, lastSeq);
  }
  return isTraced;
}

/** Unix milliseconds in the UUIDv7 at an offset. */
export function idTimeMsAt(bytes: Uint8Array, at: number): number {
  const high = bytes[at]! * 0x100 + bytes[at + 1]!;
  return high * 0x1_0000_0000 + idWordAt(bytes, at + 2);
}
