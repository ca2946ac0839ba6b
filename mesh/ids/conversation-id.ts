/**
 * Conversation ids are 16 bytes. A direct one is its two user ids, big-endian, smaller first; user ids have their
 * top bit clear, group ids have it set, so the kind is read from the first byte.
 */
import { randomFillSync } from "node:crypto";

/** Length of every conversation id, in bytes. */
export const conversationIdBytes = 16;

/** Id of the direct conversation of two users; the same for both orders. A user's notes to self have a = b. */
export function directConversationId(a: bigint, b: bigint): Uint8Array {
  const id = new Uint8Array(conversationIdBytes);
  const view = new DataView(id.buffer);
  view.setBigUint64(0, a < b ? a : b);
  view.setBigUint64(8, a < b ? b : a);
  return id;
}

/** A fresh random group id. */
export function newGroupId(): Uint8Array {
  const id = randomFillSync(new Uint8Array(conversationIdBytes));
  id[0] = id[0]! | 0x80;
  return id;
}

/** Whether the id is a group's. */
export function isGroupId(id: Uint8Array): boolean {
  return id[0]! >= 0x80;
}

/** The two users of a direct conversation, smaller first. */
export function directUsers(id: Uint8Array): readonly [bigint, bigint] {
  const view = new DataView(id.buffer, id.byteOffset, conversationIdBytes);
  return [view.getBigUint64(0), view.getBigUint64(8)];
}

/** The id as a Map key: 16 one-byte characters. Spelt out because every message needs several: a quarter of toString. */
export function conversationKey(id: Uint8Array): string {
  if (id.length !== conversationIdBytes) return Buffer.from(id).toString("latin1");
  // biome-ignore format: sixteen of a kind
  return String.fromCharCode(id[0]!, id[1]!, id[2]!, id[3]!, id[4]!, id[5]!, id[6]!, id[7]!, id[8]!, id[9]!, id[10]!, id[11]!, id[12]!, id[13]!, id[14]!, id[15]!);
}

/** The id of a key made by conversationKey. */
export function conversationIdOfKey(key: string): Uint8Array {
  return Uint8Array.from(Buffer.from(key, "latin1"));
}

/** The log partition of a conversation; `partitions` is fixed for life. FNV-1a, so any language can compute it. */
export function partitionOf(id: Uint8Array, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < conversationIdBytes; i++) hash = Math.imul(hash ^ id[i]!, 0x01000193);
  return (hash >>> 0) % partitions;
}

/** The log partition of what belongs to a user and no conversation. */
export function partitionOfUser(userId: bigint, partitions: number): number {
  const id = new Uint8Array(conversationIdBytes);
  new DataView(id.buffer).setBigUint64(0, userId);
  return partitionOf(id, partitions);
}
