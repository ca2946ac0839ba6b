/** Length of a UUID, in bytes. */
const uuidBytes = 16;

/** Unix time in a UUIDv7 given as 16 bytes, in milliseconds. */
export function uuidV7TimeMs(id: Uint8Array): number {
  const high = id[0]! * 0x100 + id[1]!;
  const low = ((id[2]! << 24) | (id[3]! << 16) | (id[4]! << 8) | id[5]!) >>> 0;
  return high * 0x1_0000_0000 + low;
}

/** Whether 16 bytes carry version 7 and the RFC 9562 variant. */
export function isUuidV7(id: Uint8Array): boolean {
  return id.byteLength === uuidBytes && id[6]! >> 4 === 7 && id[8]! >> 6 === 2;
}
