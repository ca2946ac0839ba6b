import { type Interval, isEntitled, lastEntitled } from "./entitlement.ts";
import type { Findings } from "./findings.ts";
import type { ConversationIndex, FinalRead, HistoryIndex } from "./history-index.ts";

/** Sorted ascending; the runs of a history are nearly sorted already, so this is linear in practice. */
const ascending = (seqs: Iterable<number>): number[] => [...seqs].sort((a, b) => a - b);

function judgeRealTimeOrder(conversation: ConversationIndex, findings: Findings): void {
  let earliest: { seq: number; id: string; ackedUs: number } | undefined;
  for (const seq of ascending(conversation.bySeq.keys()).reverse()) {
    const send = conversation.sends.get(conversation.bySeq.get(seq)!.id);
    if (send === undefined) continue;
    if (earliest !== undefined && earliest.ackedUs < send.invokedUs) {
      const text = `${conversation.name}: ${earliest.id} (seq ${earliest.seq}) was acked before ${send.id} (seq ${seq}) was sent`;
      findings.add("reordered", `${conversation.name} ${send.id}`, text);
    }
    if (earliest === undefined || send.ackedUs < earliest.ackedUs)
      earliest = { seq, id: send.id, ackedUs: send.ackedUs };
  }
}

function judgeBatchOrder(conversation: ConversationIndex, findings: Findings): void {
  const lastOfBatch = new Map<string, number>();
  for (const send of conversation.sends.values()) {
    if (send.batch === undefined || send.seq === 0 || send.bodies.length > 1) continue;
    const key = `${send.sender} ${send.batch}`;
    const last = lastOfBatch.get(key) ?? 0;
    if (send.seq < last) {
      const text = `${conversation.name}: ${send.id} (seq ${send.seq}) came before seq ${last} of the same request`;
      findings.add("reordered", `${conversation.name} batch ${send.id}`, text);
    }
    lastOfBatch.set(key, Math.max(last, send.seq));
  }
}

function judgeLost(conversation: ConversationIndex, findings: Findings): void {
  for (const send of conversation.sends.values()) {
    if (send.ackedUs === Number.POSITIVE_INFINITY || send.seq !== 0) continue;
    findings.add(
      "lost",
      `${conversation.name} ${send.id}`,
      `${conversation.name} id ${send.id} was acked and never seen`,
    );
  }
  for (const [user, read] of conversation.finalReads) {
    const intervals = conversation.intervals.get(user) ?? [];
    for (const [seq, { id }] of conversation.bySeq) {
      if (read.seqs.has(seq) || !isEntitled(intervals, seq)) continue;
      const text = `${conversation.name} seq ${seq} id ${id} is not in the final read of ${user}`;
      findings.add("lost", `${conversation.name} ${id}`, text);
    }
  }
}

function judgeHoles(where: string, intervals: readonly Interval[], read: FinalRead, findings: Findings): void {
  const report = (from: number, to: number): void => {
    if (from <= to)
      findings.add("hole", `${where} ${from}`, `${where}: seqs ${from} to ${to} are missing`, to - from + 1);
  };
  const seqs = ascending(read.seqs);
  let at = 0;
  for (const { from, to } of intervals) {
    let next = from;
    for (; at < seqs.length && seqs[at]! < to; at++) {
      if (seqs[at]! < from) continue;
      report(next, seqs[at]! - 1);
      next = seqs[at]! + 1;
    }
    report(next, Math.min(to - 1, read.head));
  }
}

function judgeCompleteness(conversation: ConversationIndex, findings: Findings): void {
  for (const [user, intervals] of conversation.intervals) {
    if (lastEntitled(intervals, conversation.head) === 0 || conversation.finalReads.has(user)) continue;
    findings.add("incomplete", `${conversation.name} ${user}`, `${user} made no final read of ${conversation.name}`);
  }
}

/** Every device of a member has been shown everything up to the head. True only after the load has ended. */
function judgeCaughtUp(conversation: ConversationIndex, history: HistoryIndex, findings: Findings): void {
  for (const [user, intervals] of conversation.intervals) {
    const last = lastEntitled(intervals, conversation.head);
    for (const device of history.devices.get(user) ?? []) {
      const shown = conversation.views.get(device)?.last ?? 0;
      if (shown >= last) continue;
      const text = `${device} was shown ${conversation.name} up to ${shown}, the head is ${last}`;
      findings.add("behind", `${device} ${conversation.name}`, text, last - shown);
    }
  }
}

/** Last pass: what only the whole history can show. */
export function conclude(history: HistoryIndex, findings: Findings, requireCaughtUp: boolean): void {
  for (const conversation of history.conversations.values()) {
    judgeRealTimeOrder(conversation, findings);
    judgeBatchOrder(conversation, findings);
    judgeLost(conversation, findings);
    judgeCompleteness(conversation, findings);
    for (const [user, read] of conversation.finalReads)
      judgeHoles(`${user} in ${conversation.name}`, conversation.intervals.get(user) ?? [], read, findings);
    if (requireCaughtUp) judgeCaughtUp(conversation, history, findings);
  }
}
