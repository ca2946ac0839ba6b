import { walkTaggedMessages } from "../codec/message-events.ts";
import { conversationIdBytes, conversationKey, partitionOf } from "../ids/conversation-id.ts";
import { limits } from "../limits.ts";
import type { RangeBounds } from "../ports/hot-window.ts";
import { historyBlockMessages } from "../ports/message-history.ts";
import type { MessageRun } from "../ports/message-store.ts";
import { cutRuns } from "./cut-runs.ts";

/** One message of the history: tagged bytes, as in MessageRun. */
export interface HistoryCell {
  readonly seq: number;
  readonly bytes: Uint8Array;
}

/** Messages of one row. */
export interface HistoryRow {
  readonly key: Buffer;
  readonly cells: HistoryCell[];
}

/** Number of different first bytes of rows: as many regions of a table can share the load. */
const salts = 256;
const blockBytes = 8;

/** The block of a seq. */
const blockOf = (seq: number): number => Math.floor(seq / historyBlockMessages);

/** Place of a seq in its block: the qualifier of its cell, one byte. */
export const placeOf = (seq: number): number => seq % historyBlockMessages;

/**
 * Key of a row: a byte of salt, so that neither direct conversations of one user nor new groups crowd one region; the
 * conversation; the block, big-endian, so that blocks of a conversation lie side by side.
 */
function historyRowKey(conversationId: Uint8Array, block: number): Buffer {
  const key = Buffer.allocUnsafe(1 + conversationIdBytes + blockBytes);
  key[0] = partitionOf(conversationId, salts);
  key.set(conversationId, 1);
  key.writeBigUInt64BE(BigInt(block), 1 + conversationIdBytes);
  return key;
}

/** First rows of all regions but the first, for so many regions of equal share. */
export function historySplitKeys(regions: number): Buffer[] {
  const starts = Array.from({ length: regions - 1 }, (_, i) => Math.round(((i + 1) * salts) / regions));
  return [...new Set(starts)].filter((start) => start > 0 && start < salts).map((start) => Buffer.from([start]));
}

/** The rows of runs, in requests of bounded size; a message is never cut. */
export function* toHistoryRequests(runs: readonly MessageRun[]): Generator<HistoryRow[], void, undefined> {
  let rows = new Map<string, HistoryRow>();
  let [cells, bytes] = [0, 0];
  for (const run of runs) {
    const conversation = conversationKey(run.conversationId);
    for (const { seq, start, end } of walkTaggedMessages(run.bytes)) {
      if (cells >= limits.maxHistoryRequestMessages || bytes + end - start > limits.maxHistoryRequestBytes) {
        if (cells > 0) yield [...rows.values()];
        rows = new Map();
        [cells, bytes] = [0, 0];
      }
      const block = blockOf(seq);
      const name = `${conversation}${block}`;
      const row = rows.get(name) ?? { key: historyRowKey(run.conversationId, block), cells: [] };
      rows.set(name, row);
      row.cells.push({ seq, bytes: run.bytes.subarray(start, end) });
      cells++;
      bytes += end - start;
    }
  }
  if (cells > 0) yield [...rows.values()];
}

/** Cells in order of seq as runs. */
function toRuns(conversationId: Uint8Array, cells: readonly HistoryCell[]): MessageRun[] {
  const runs: MessageRun[] = [];
  for (let at = 0; at < cells.length; ) {
    const firstSeq = cells[at]!.seq;
    let end = at + 1;
    while (end < cells.length && cells[end]!.seq === firstSeq + end - at) end++;
    const bytes = Buffer.concat(cells.slice(at, end).map((cell) => cell.bytes));
    runs.push({ conversationId, firstSeq, count: end - at, bytes });
    at = end;
  }
  return runs;
}

/** Cells of one row, from one place to another. */
export interface HistoryRowPart {
  readonly key: Buffer;
  readonly block: number;
  readonly fromPlace: number;
  readonly toPlace: number;
}

/** The rows that have [fromSeq, toSeq], in order. */
export function historyRowParts(conversationId: Uint8Array, fromSeq: number, toSeq: number): HistoryRowPart[] {
  const [first, last] = [blockOf(fromSeq), blockOf(toSeq)];
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const block = first + index;
    const fromPlace = block === first ? placeOf(fromSeq) : 0;
    const toPlace = block === last ? placeOf(toSeq) : historyBlockMessages - 1;
    return { key: historyRowKey(conversationId, block), block, fromPlace, toPlace };
  });
}

/** What an engine answers of [fromSeq, toSeq], at most limits.maxHistoryReadMessages seqs: all it has, in order of seq. */
export type ReadCells = (conversationId: Uint8Array, fromSeq: number, toSeq: number) => Promise<HistoryCell[]>;

/** As many seqs as the next read asks for: what is still wanted of bytes, by the size of those before. */
function nextStep(step: number, cells: number, bytes: number, wantedBytes: number): number {
  const most = Math.min(limits.maxHistoryReadMessages, step * 4);
  if (cells === 0) return most;
  const fitting = Math.floor(Math.min(wantedBytes, limits.maxHistoryRequestBytes) / (bytes / cells));
  return Math.max(limits.historyReadMessages, Math.min(most, fitting));
}

/** MessageHistory.readRange by reads of bounded size, from the end that is to be kept. */
export async function readHistory(
  read: ReadCells,
  conversationId: Uint8Array,
  { fromSeq, toSeq, ...bounds }: RangeBounds & { readonly fromSeq: number; readonly toSeq: number },
): Promise<readonly MessageRun[]> {
  const { maxMessages, maxBytes, fromEnd = false } = bounds;
  const parts: MessageRun[][] = [];
  let [low, high] = [Math.max(0, fromSeq), toSeq];
  let [messages, bytes] = [0, 0];
  let step = Math.min(limits.historyReadMessages, Math.max(1, maxMessages));
  while (low <= high && (messages === 0 || (messages < maxMessages && bytes < maxBytes))) {
    const [first, last] = fromEnd ? [Math.max(low, high - step + 1), high] : [low, Math.min(high, low + step - 1)];
    const cells = await read(conversationId, first, last);
    parts.push(toRuns(conversationId, cells));
    messages += cells.length;
    for (const cell of cells) bytes += cell.bytes.length;
    if (fromEnd) high = first - 1;
    else low = last + 1;
    step = Math.min(nextStep(step, messages, bytes, maxBytes - bytes), Math.max(1, maxMessages - messages));
  }
  const runs = joinRuns((fromEnd ? parts.reverse() : parts).flat());
  return cutRuns(runs, { fromSeq, toSeq, ...bounds });
}

/** Runs of one conversation in order, those that touch made one. */
function joinRuns(runs: readonly MessageRun[]): MessageRun[] {
  const joined: MessageRun[][] = [];
  for (const run of runs) {
    const before = joined.at(-1)?.at(-1);
    if (before !== undefined && before.firstSeq + before.count === run.firstSeq) joined.at(-1)!.push(run);
    else joined.push([run]);
  }
  return joined.map((some) => ({
    conversationId: some[0]!.conversationId,
    firstSeq: some[0]!.firstSeq,
    count: some.reduce((sum, { count }) => sum + count, 0),
    bytes: some.length === 1 ? some[0]!.bytes : Buffer.concat(some.map(({ bytes }) => bytes)),
  }));
}
