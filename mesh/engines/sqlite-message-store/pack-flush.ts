import { crc32 } from "node:zlib";
import { walkTaggedMessages } from "../../codec/message-events.ts";
import { conversationIdBytes, conversationIdOfKey } from "../../ids/conversation-id.ts";
import type { MemberRow, MessageRun, SendRow } from "../../ports/message-store.ts";
import { type Flush, type FlushRuns, packedSendBytes } from "./flush-format.ts";
import type { Memtable } from "./memtable.ts";

/** A segment is closed at this size; a run is cut at these. */
const segmentBytes = 32 * 1024;
const maxRunBytes = 64 * 1024;
/** Messages of one stored run, at most; range reads rest on it. */
export const maxRunMessages = 256;

interface Piece {
  readonly firstSeq: number;
  count: number;
  readonly parts: Uint8Array[];
  bytes: number;
}

/** The runs of one conversation as pieces of at most maxRunMessages and maxRunBytes. */
function toPieces(runs: readonly MessageRun[]): Piece[] {
  const pieces: Piece[] = [];
  let open: Piece | undefined;
  const add = (firstSeq: number, count: number, part: Uint8Array): void => {
    if (open === undefined || open.count + count > maxRunMessages || open.bytes + part.length > maxRunBytes) {
      open = { firstSeq, count: 0, parts: [], bytes: 0 };
      pieces.push(open);
    }
    open.count += count;
    open.bytes += part.length;
    open.parts.push(part);
  };
  for (const run of runs) {
    if (run.count <= maxRunMessages && run.bytes.length <= maxRunBytes) add(run.firstSeq, run.count, run.bytes);
    else for (const { seq, start, end } of walkTaggedMessages(run.bytes)) add(seq, 1, run.bytes.subarray(start, end));
  }
  return pieces;
}

function packRuns(table: Memtable): { segments: Uint8Array[]; runs: FlushRuns } {
  const segments: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  let offset = 0;
  const close = (): void => {
    if (parts.length > 0) segments.push(new Uint8Array(Buffer.concat(parts)));
    parts = [];
    offset = 0;
  };
  const rows: number[] = [];
  const keys: string[] = [];
  for (const key of [...table.runs.keys()].sort()) {
    for (const piece of toPieces(table.runs.get(key)!)) {
      let crc = 0;
      for (const part of piece.parts) crc = crc32(part, crc);
      rows.push(piece.firstSeq, piece.count, segments.length, offset, piece.bytes, crc);
      keys.push(key);
      for (const part of piece.parts) parts.push(part);
      offset += piece.bytes;
      if (offset >= segmentBytes) close();
    }
  }
  close();
  const conversations = new Uint8Array(Buffer.from(keys.join(""), "latin1"));
  return { segments, runs: { conversations, numbers: Float64Array.from(rows) } };
}

function packSends(table: Memtable): Uint8Array {
  const rows: SendRow[] = [];
  for (const key of [...table.sends.keys()].sort()) rows.push(...table.sends.get(key)!);
  const packed = new Uint8Array(rows.length * packedSendBytes);
  const view = new DataView(packed.buffer);
  for (const [index, row] of rows.entries()) {
    const at = index * packedSendBytes;
    packed.set(row.clientMessageId, at);
    packed.set(row.conversationId, at + conversationIdBytes);
    view.setBigUint64(at + 32, row.senderId);
    view.setFloat64(at + 40, row.seq);
    view.setBigUint64(at + 48, row.digest);
    view.setFloat64(at + 56, row.loggedTimeMs);
  }
  return packed;
}

/** The send at `index` of packed sends. */
export function unpackSend(packed: Uint8Array, index: number): SendRow {
  const at = index * packedSendBytes;
  const view = new DataView(packed.buffer, packed.byteOffset + at, packedSendBytes);
  return {
    clientMessageId: packed.slice(at, at + 16),
    conversationId: packed.slice(at + 16, at + 32),
    senderId: view.getBigUint64(32),
    seq: view.getFloat64(40),
    digest: view.getBigUint64(48),
    loggedTimeMs: view.getFloat64(56),
  };
}

/** Packs a table for the worker. Buffers of its own: they are transferred. */
export function packFlush(table: Memtable, progress: Flush["progress"]): Flush {
  const members: MemberRow[] = [];
  for (const key of [...table.members.keys()].sort()) {
    const conversationId = conversationIdOfKey(key);
    for (const row of table.members.get(key)!.values()) members.push({ ...row, conversationId });
  }
  return { ...packRuns(table), sends: packSends(table), members, progress };
}
