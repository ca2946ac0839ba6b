/** The big-endian word of an id at an offset: how ids are kept, compared and hashed here without copies of their bytes. */
export function idWordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
