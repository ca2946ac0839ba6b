import { createHmac, timingSafeEqual } from "node:crypto";
import { traceparentBytes } from "./trace-context.ts";

const expiryBytes = 4;
const macBytes = 16;
const separator = 0x3b;

function macOf(key: Uint8Array, expiry: Uint8Array): Uint8Array {
  return createHmac("sha256", key).update("chappe-trace").update(expiry).digest().subarray(0, macBytes);
}

/** A token with which support has the messages of a client traced until it ends, Unix milliseconds. */
export function makeTraceToken(key: Uint8Array, untilMs: number): string {
  const expiry = Buffer.alloc(expiryBytes);
  expiry.writeUInt32BE(Math.floor(untilMs / 1_000));
  return Buffer.concat([expiry, macOf(key, expiry)]).toString("base64url");
}

/** Whether a token is one of ours and has not ended. */
export function checkTraceToken(key: Uint8Array | undefined, token: string, nowMs: number): boolean {
  const bytes = Buffer.from(token, "base64url");
  if (key === undefined || bytes.length !== expiryBytes + macBytes) return false;
  const expiry = bytes.subarray(0, expiryBytes);
  if (expiry.readUInt32BE() * 1_000 < nowMs) return false;
  return timingSafeEqual(bytes.subarray(expiryBytes), macOf(key, expiry));
}

/** The token after the traceparent of a client's context; empty when there is none. */
export function tokenOf(context: Uint8Array): string {
  if (context[traceparentBytes] !== separator) return "";
  return Buffer.from(context.subarray(traceparentBytes + 1)).toString("latin1");
}
