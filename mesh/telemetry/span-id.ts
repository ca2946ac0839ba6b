import { idWordAt } from "./id-word.ts";

/** Bytes of a trace id; a message's trace id is its client message id. */
const traceIdBytes = 16;

const mix = (hash: number, word: number): number => {
  let mixed = Math.imul(hash ^ word, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
};

const hex32 = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");

/**
 * The id of a message's span at a hop, 16 hexadecimal digits. It is computed and not drawn, so that every role knows the
 * id of every other role's span, also long after the message has passed. `part` tells apart what a hop does several times:
 * 0, the hash of a Login's name or of a connection. The SDK computes the same.
 */
export function spanIdOf(messageId: Uint8Array, hop: number, part = 0): string {
  let high = mix(0x9e3779b9, hop);
  let low = mix(0x7f4a7c15, hop);
  for (let at = 0; at < traceIdBytes; at += 4) {
    high = mix(high, idWordAt(messageId, at));
    low = mix(low, high ^ idWordAt(messageId, at));
  }
  high = mix(high, part);
  low = mix(low, high ^ part) | 1;
  return hex32(high) + hex32(low);
}

/** A name as the `part` of spanIdOf, 32 bits. */
export function partOfName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** A connection id as the `part` of spanIdOf, 32 bits. */
export function partOfConnection(connectionId: bigint): number {
  return Number((connectionId ^ (connectionId >> 32n)) & 0xffff_ffffn);
}
