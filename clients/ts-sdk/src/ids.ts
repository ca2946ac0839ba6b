import { invalidArgument } from "./client-error.ts";

/** Length of every conversation id and client message id, in bytes. */
export const idBytes = 16;

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Bytes as lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += hexDigits[byte];
  return text;
}

/** Bytes of hexadecimal text. Throws INVALID_ARGUMENT. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw invalidArgument("text", "hex", "is not hexadecimal");
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Id of the direct conversation of two users, 16 bytes: both ids big-endian, the smaller first. Order does not matter. */
export function directConversationId(a: bigint, b: bigint): Uint8Array {
  const id = new Uint8Array(idBytes);
  const view = new DataView(id.buffer);
  view.setBigUint64(0, a < b ? a : b);
  view.setBigUint64(8, a < b ? b : a);
  return id;
}

/** Whether a conversation is a group. */
export function isGroupConversation(id: Uint8Array): boolean {
  return id[0]! >= 0x80;
}

/** The two users of a direct conversation, smaller first; undefined for a group. */
export function directUsers(id: Uint8Array): readonly [bigint, bigint] | undefined {
  if (isGroupConversation(id)) return undefined;
  const view = new DataView(id.buffer, id.byteOffset, idBytes);
  return [view.getBigUint64(0), view.getBigUint64(8)];
}

/** A conversation id as text: 32 hexadecimal digits. */
export function conversationIdToString(id: Uint8Array): string {
  return toHex(id);
}

/** The inverse of conversationIdToString. Throws INVALID_ARGUMENT. */
export function conversationIdFromString(text: string): Uint8Array {
  const id = fromHex(text);
  if (id.byteLength !== idBytes) throw invalidArgument("conversationId", "bytes.len", "must be 32 hexadecimal digits");
  return id;
}

/** A user id as text: decimal digits. */
export function userIdToString(id: bigint): string {
  return id.toString();
}

/** The inverse of userIdToString. Throws INVALID_ARGUMENT. */
export function userIdFromString(text: string): bigint {
  if (!/^\d{1,19}$/.test(text) || BigInt(text) >= 1n << 63n)
    throw invalidArgument("userId", "uint63", "must be a decimal number below 2^63");
  return BigInt(text);
}

/** A conversation id given as bytes or as text, copied to bytes of its own. Throws INVALID_ARGUMENT. */
export function toConversationId(id: Uint8Array | string): Uint8Array {
  if (typeof id === "string") return conversationIdFromString(id);
  if (id.byteLength !== idBytes) throw invalidArgument("conversationId", "bytes.len", "must be 16 bytes");
  return Uint8Array.from(id);
}

/** A random id with the top bit clear and not 0, for devices. */
export function randomDeviceId(): bigint {
  const words = crypto.getRandomValues(new BigUint64Array(1));
  return (words[0]! >> 1n) | 1n;
}
