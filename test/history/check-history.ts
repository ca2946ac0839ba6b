import { conclude } from "./conclude.ts";
import { type Finding, type FindingKind, Findings, findingKinds } from "./findings.ts";
import type { HistoryEvent } from "./history-event.ts";
import { indexHistory } from "./history-index.ts";
import { createObserver, type Observer } from "./observe.ts";

/** How much happened. */
export interface HistoryCounts {
  /** Distinct ids invoked, of them acked, refused for good, and neither. */
  readonly sent: number;
  readonly acked: number;
  readonly refused: number;
  readonly indeterminate: number;
  /** Messages shown to applications. */
  readonly received: number;
  /** Messages read from history. */
  readonly fetched: number;
  readonly connects: number;
  readonly conversations: number;
}

/**
 * The verdict on a history.
 * - lost: acked, settled or shown, yet absent from the final read of an entitled member
 * - duplicate: an id with two seqs, a seq with two ids or two bodies, a seq shown twice by one device
 * - hole: a seq missing below the head in a final read, or skipped at the application
 * - reordered: not rising at the application or in a page; ack(a) before invoke(b), yet seq(a) > seq(b); one request's sends out of order
 * - phantom: seen, yet never sent so (unknown id, other body, other sender, refused for good)
 * - unauthorised: seen outside [join, leave)
 * - conflict: settled as a conflict without a second body
 * - behind: a device that was not shown everything (only with requireCaughtUp)
 * - incomplete: a member without a final read; the history proves nothing about it
 */
export interface HistoryReport extends Readonly<Record<FindingKind, Finding>> {
  /** No finding of any kind. */
  readonly ok: boolean;
  readonly counts: HistoryCounts;
}

/** Options of checkHistory. */
export interface CheckOptions {
  /** The clients say that they had time to catch up before the end. @default false */
  readonly requireCaughtUp?: boolean;
}

function countEvents(events: readonly HistoryEvent[]): Pick<HistoryCounts, "received" | "fetched" | "connects"> {
  let received = 0;
  let fetched = 0;
  let connects = 0;
  for (const event of events) {
    if (event.kind === "receive") received++;
    if (event.kind === "fetch") fetched += event.messages.length;
    if (event.kind === "connect") connects++;
  }
  return { received, fetched, connects };
}

/** Judges a whole history in time linear in its size. */
export function checkHistory(events: readonly HistoryEvent[], options: CheckOptions = {}): HistoryReport {
  const history = indexHistory(events);
  const findings = new Findings();
  const observer: Observer = createObserver(findings);
  for (const event of events) {
    if (!("conversation" in event)) continue;
    const conversation = history.conversations.get(event.conversation)!;
    if (event.kind === "ack") observer.ack(conversation, event);
    else if (event.kind === "refused") observer.refused(conversation, event);
    else if (event.kind === "settled") observer.settled(conversation, event);
    else if (event.kind === "receive") observer.receive(conversation, event);
    else if (event.kind === "fetch") observer.fetch(conversation, event);
  }
  conclude(history, findings, options.requireCaughtUp ?? false);
  const report = findings.report();
  const sends = [...history.conversations.values()].flatMap((conversation) => [...conversation.sends.values()]);
  const acked = sends.filter((send) => send.ackedUs !== Number.POSITIVE_INFINITY).length;
  const refused = sends.filter((send) => send.refused && send.ackedUs === Number.POSITIVE_INFINITY).length;
  return {
    ok: findingKinds.every((kind) => report[kind].count === 0),
    counts: {
      sent: sends.length,
      acked,
      refused,
      indeterminate: sends.length - acked - refused,
      conversations: history.conversations.size,
      ...countEvents(events),
    },
    ...report,
  };
}
