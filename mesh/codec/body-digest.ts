import { hash } from "node:crypto";

/** First 8 bytes of the SHA-256 of a body, as the log and the dedupe rows keep it. */
export function bodyDigest(body: Uint8Array): bigint {
  return hash("sha256", body, "buffer").readBigUInt64LE(0);
}
