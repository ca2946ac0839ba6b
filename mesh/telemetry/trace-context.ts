import { noTraced } from "../codec/traced-message.ts";
import { emptyBytes } from "../codec/wire-reader.ts";
import type { HopRun } from "./hops.ts";

/** Length of a W3C traceparent of version 00. */
export const traceparentBytes = 55;

/** The last digit of one that is sampled. */
const sampledFlag = 0x31;
/** Where the trace id is in it, and its length in bytes. */
const traceIdAt = 3;
const traceIdBytes = 16;

const pattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;
/** Follows the traceparent of a frame all of whose messages are traced; only roles write it. */
const forcedMark = 0x66;

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");

/** 16 bytes as the hexadecimal digits of a trace id. */
export function traceIdHex(messageId: Uint8Array): string {
  return Buffer.from(messageId.buffer, messageId.byteOffset, messageId.byteLength).toString("hex");
}

/** A sampled traceparent of a message, whose trace id is its client message id. */
export function traceparentOf(messageId: Uint8Array, spanId: string): Uint8Array {
  return Buffer.from(`00-${traceIdHex(messageId)}-${spanId}-01`, "latin1");
}

/** The same for a whole frame of messages: a role that reads it traces all of them. */
export function forcedContext(context: Uint8Array): Uint8Array {
  return Uint8Array.from([...context.subarray(0, traceparentBytes), forcedMark]);
}

/** Whether a role has forced the whole frame. */
export function isForced(context: Uint8Array): boolean {
  return context.length === traceparentBytes + 1 && context[traceparentBytes] === forcedMark;
}

const hexDigit = (value: number): number => value + (value < 10 ? 0x30 : 0x57);

/** Whether a traceparent's trace id is the message id at an offset. */
export function namesMessage(context: Uint8Array, bytes: Uint8Array, idAt: number): boolean {
  if (context.length < traceparentBytes) return false;
  for (let i = 0; i < traceIdBytes; i++) {
    const byte = bytes[idAt + i]!;
    const at = traceIdAt + i * 2;
    if (context[at] !== hexDigit(byte >> 4) || context[at + 1] !== hexDigit(byte & 0xf)) return false;
  }
  return true;
}

/** What a traceparent says; undefined when it is none. */
export function parseTraceparent(context: Uint8Array): { traceId: string; spanId: string } | undefined {
  if (context.length < traceparentBytes) return undefined;
  const found = pattern.exec(latin1(context.subarray(0, traceparentBytes)));
  return found === null ? undefined : { traceId: found[1]!, spanId: found[2]! };
}

/** A trace in lines of a log. */
export interface LogIds {
  readonly trace_id: string;
  readonly span_id: string;
}

/** What lines of a log say of a sampled traceparent; undefined when it is none, or not sampled. */
export function logIdsOf(context: Uint8Array): LogIds | undefined {
  if (context.length < traceparentBytes || context[traceparentBytes - 1] !== sampledFlag) return undefined;
  const parsed = parseTraceparent(context);
  return parsed && { trace_id: parsed.traceId, span_id: parsed.spanId };
}

/** The trace context of the first traced message of these; empty when none is traced. */
export function firstContextOf(runs: Iterable<Pick<HopRun, "traced">>): Uint8Array {
  for (const { traced = noTraced } of runs) if (traced.length > 0) return traced[0]!.traceContext;
  return emptyBytes;
}

/** The client message id in a message's traceparent; empty when it is none. */
export function messageIdOf(context: Uint8Array): Uint8Array {
  const parsed = parseTraceparent(context);
  return parsed === undefined ? emptyBytes : Buffer.from(parsed.traceId, "hex");
}

/** Several traceparents as the context of one push packet, with commas between them. */
export function joinContexts(contexts: readonly Uint8Array[]): Uint8Array {
  return contexts.length === 1 ? contexts[0]! : Buffer.from(contexts.map(latin1).join(), "latin1");
}
