import { idWordAt } from "./id-word.ts";

/** Share of messages that are traced, by how many users they are for. */
export interface SamplingRates {
  /** Of messages for one recipient, 0 to 1. */
  readonly direct: number;
}

/** Recipients from which on the least share holds, and that share. */
const largeFanOut = 10_000;
const largeRate = 0.001;

/** Share of the messages for so many recipients: from the direct one down to 0.1% at 10,000, even on a logarithmic scale. */
export function rateOf(fanOut: number, { direct }: SamplingRates): number {
  if (direct <= largeRate || fanOut <= 1) return direct;
  if (fanOut >= largeFanOut) return largeRate;
  return direct * (largeRate / direct) ** (Math.log10(fanOut) / Math.log10(largeFanOut));
}

/** The word of an id at an offset, mixed into a hash. */
function mixed(hash: number, id: Uint8Array, at: number): number {
  const product = Math.imul(hash ^ idWordAt(id, at), 0x85ebca6b);
  return product ^ (product >>> 15);
}

/**
 * Whether the message whose 16 bytes of id are at an offset is in the share of `threshold` / 2^32. The id and a salt that no
 * client knows decide, so that all roles of a mesh say the same without a word to each other.
 */
export function isSampledAt(bytes: Uint8Array, at: number, threshold: number, salt: number): boolean {
  if (threshold <= 0) return false;
  let hash = mixed(mixed(mixed(mixed(salt, bytes, at), bytes, at + 4), bytes, at + 8), bytes, at + 12);
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0 < threshold;
}

/** Whether the message with this id is in that share. */
export function isSampled(messageId: Uint8Array, rate: number, salt: number): boolean {
  return isSampledAt(messageId, 0, rate * 0x1_0000_0000, salt);
}
