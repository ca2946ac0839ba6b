import { walkTaggedMessages } from "../codec/message-events.ts";
import type { MessageRun } from "../ports/message-store.ts";

/** What is wanted of a list of runs. */
export interface RunCut {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly fromEnd?: boolean;
}

function cutRun(run: MessageRun, fromSeq: number, toSeq: number): MessageRun | undefined {
  const lastSeq = run.firstSeq + run.count - 1;
  const first = Math.max(fromSeq, run.firstSeq);
  const last = Math.min(toSeq, lastSeq);
  if (first > last) return undefined;
  if (first === run.firstSeq && last === lastSeq) return run;
  let start = 0;
  let end = run.bytes.length;
  for (const span of walkTaggedMessages(run.bytes)) {
    if (span.seq === first) start = span.start;
    if (span.seq === last) end = span.end;
  }
  return { ...run, firstSeq: first, count: last - first + 1, bytes: run.bytes.subarray(start, end) };
}

/** Takes whole messages from one side of a run until a bound is met; `first` takes one in any case. */
function takeSome(
  run: MessageRun,
  cut: RunCut,
  maxMessages: number,
  maxBytes: number,
  first: boolean,
): MessageRun | undefined {
  if (run.count <= maxMessages && run.bytes.length <= maxBytes) return run;
  const spans = [...walkTaggedMessages(run.bytes)];
  if (cut.fromEnd) spans.reverse();
  let bytes = 0;
  let count = 0;
  for (const span of spans) {
    bytes += span.end - span.start;
    if ((count >= maxMessages || bytes > maxBytes) && !(first && count === 0)) break;
    count++;
  }
  if (count === 0) return undefined;
  const edge = spans[count - 1]!.seq;
  return cut.fromEnd ? cutRun(run, edge, Number.MAX_SAFE_INTEGER) : cutRun(run, 0, edge);
}

/** Cuts runs in order of seq to the range and the bounds of MessageStore.readRange; at least one message is kept. */
export function cutRuns(runs: readonly MessageRun[], cut: RunCut): MessageRun[] {
  const inside = runs.flatMap((run) => cutRun(run, cut.fromSeq, cut.toSeq) ?? []);
  if (cut.fromEnd) inside.reverse();
  const kept: MessageRun[] = [];
  let { maxMessages, maxBytes } = cut;
  for (const run of inside) {
    if (kept.length > 0 && maxMessages <= 0) break;
    const some = takeSome(run, cut, maxMessages, maxBytes, kept.length === 0);
    if (some === undefined) break;
    kept.push(some);
    maxMessages -= some.count;
    maxBytes -= some.bytes.length;
    if (some.count < run.count) break;
  }
  return cut.fromEnd ? kept.reverse() : kept;
}
