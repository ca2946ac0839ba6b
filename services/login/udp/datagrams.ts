import { createCipheriv, createDecipheriv } from "node:crypto";
import { limits } from "@chappe/mesh/limits.ts";

/** First byte of a datagram. INIT asks for a cookie, COOKIE gives it, OPEN is a cookie and then a DATA datagram. */
export const datagramTypes = { init: 1, cookie: 2, open: 3, data: 4 } as const;

/** Bytes of a ticket id. */
export const ticketIdBytes = 8;
/** Bytes of a cookie. */
export const cookieBytes = 32;
/** Bytes of a key. */
export const keyBytes = 32;
/** An INIT is padded to so many bytes, so that its answer is the smaller one. */
export const initBytes = 64;

const algorithm = "chacha20-poly1305";
const tagBytes = 16;
const nonceBytes = 12;
/** Type, ticket id, counter. */
const headerBytes = 1 + ticketIdBytes + 8;
/** Acknowledgement, packet number, flags: what the reliable channel adds. */
const channelBytes = 13;

/** Data of one datagram, with room left for the cookie that the first ones carry. */
export const maxChunkBytes = limits.maxUdpDatagramBytes - (1 + cookieBytes) - headerBytes - tagBytes - channelBytes;

/** Who sends: the two directions share a key and must not share nonces. */
export type Direction = "up" | "down";

function nonceOf(direction: Direction, counter: bigint): Buffer {
  const nonce = Buffer.alloc(nonceBytes);
  nonce[0] = direction === "up" ? 0 : 1;
  nonce.writeBigUInt64BE(counter, 4);
  return nonce;
}

/** A DATA datagram: type, ticket id, counter, sealed plaintext, tag. A counter must never be used twice. */
export function sealDatagram(
  key: Uint8Array,
  direction: Direction,
  ticketId: Uint8Array,
  counter: bigint,
  plaintext: Uint8Array,
): Buffer {
  const header = Buffer.alloc(headerBytes);
  header[0] = datagramTypes.data;
  header.set(ticketId, 1);
  header.writeBigUInt64BE(counter, 1 + ticketIdBytes);
  const cipher = createCipheriv(algorithm, key, nonceOf(direction, counter), { authTagLength: tagBytes });
  cipher.setAAD(header, { plaintextLength: plaintext.length });
  const sealed = cipher.update(plaintext);
  cipher.final();
  return Buffer.concat([header, sealed, cipher.getAuthTag()]);
}

/** The ticket id of a DATA datagram as text; undefined when it is too short to be one. */
export function ticketOf(datagram: Buffer): string | undefined {
  if (datagram.length < headerBytes + tagBytes || datagram[0] !== datagramTypes.data) return undefined;
  return datagram.toString("hex", 1, 1 + ticketIdBytes);
}

/** The counter of a DATA datagram; not to be believed before openDatagram. */
export function counterOf(datagram: Buffer): bigint {
  return datagram.readBigUInt64BE(1 + ticketIdBytes);
}

/** The plaintext of a DATA datagram; undefined when it is forged. */
export function openDatagram(key: Uint8Array, direction: Direction, datagram: Buffer): Buffer | undefined {
  const nonce = nonceOf(direction, counterOf(datagram));
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  const end = datagram.length - tagBytes;
  decipher.setAuthTag(datagram.subarray(end));
  decipher.setAAD(datagram.subarray(0, headerBytes), { plaintextLength: end - headerBytes });
  const plaintext = decipher.update(datagram.subarray(headerBytes, end));
  try {
    decipher.final();
    return plaintext;
  } catch {
    return undefined;
  }
}
