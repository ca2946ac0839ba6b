import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { TokenClaims } from "@chappe/mesh/rpc/token-verifier.ts";

const version = 1;
const macBytes = 32;
const digestBytes = 16;
const bodyBytes = 1 + 8 + 8 + 8 + 8 + 8 + digestBytes;
const minKeyBytes = 32;

/** Signs what a full token check has found, so that the next Hello need not repeat it. */
export interface ResumeTokens {
  /** A resume token for the claims of `token` on a device; good until the token itself ends. */
  sign(claims: TokenClaims, deviceId: bigint, token: string): Uint8Array;
  /**
   * The claims, when the signature is ours, the device the same, and `token` the access token of old or empty; else
   * undefined. Says nothing about expiry or revocation: those are the verifier's to check.
   */
  open(resumeToken: Uint8Array, deviceId: bigint, token: string): TokenClaims | undefined;
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest().subarray(0, digestBytes);
}

/** Resume tokens under one key. Throws when the key is too short to be safe. */
export function createResumeTokens(key: Uint8Array): ResumeTokens {
  if (key.byteLength < minKeyBytes) throw new RangeError(`resumeKey must have at least ${minKeyBytes} bytes`);
  const mac = (body: Uint8Array): Buffer => createHmac("sha256", key).update(body).digest();
  return {
    sign(claims, deviceId, token) {
      const body = Buffer.alloc(bodyBytes);
      body[0] = version;
      body.writeBigUInt64BE(claims.userId, 1);
      body.writeBigUInt64BE(claims.sessionId, 9);
      body.writeBigUInt64BE(BigInt(claims.sessionVersion), 17);
      body.writeBigUInt64BE(BigInt(claims.expiresTimeMs), 25);
      body.writeBigUInt64BE(deviceId, 33);
      body.set(digestOf(token), 41);
      return Buffer.concat([body, mac(body)]);
    },
    open(resumeToken, deviceId, token) {
      const bytes = Buffer.from(resumeToken.buffer, resumeToken.byteOffset, resumeToken.byteLength);
      if (bytes.length !== bodyBytes + macBytes || bytes[0] !== version) return undefined;
      const body = bytes.subarray(0, bodyBytes);
      if (!timingSafeEqual(mac(body), bytes.subarray(bodyBytes))) return undefined;
      if (body.readBigUInt64BE(33) !== deviceId) return undefined;
      // A newer access token carries a later end: it must be looked at itself.
      if (token !== "" && !digestOf(token).equals(body.subarray(41))) return undefined;
      return {
        userId: body.readBigUInt64BE(1),
        sessionId: body.readBigUInt64BE(9),
        sessionVersion: Number(body.readBigUInt64BE(17)),
        expiresTimeMs: Number(body.readBigUInt64BE(25)),
      };
    },
  };
}
