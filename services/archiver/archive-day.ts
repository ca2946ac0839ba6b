import { limits } from "@chappe/mesh/limits.ts";
import type { ArchiveDay, ArchiveLead } from "@chappe/mesh/ports/archive-source.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import { verifyDay } from "./verify-day.ts";

/** What a step of a day needs. */
export interface StepOptions {
  readonly lead: ArchiveLead;
  readonly history: MessageHistory;
  /** Between the end of the copy and the verification, at least. */
  readonly graceMs: number;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly onStep: (day: ArchiveDay) => void;
  readonly onCopied: (messages: number) => void;
  readonly onVerified: (messages: number) => void;
}

async function enter(day: ArchiveDay, { lead, onStep }: StepOptions): Promise<ArchiveDay> {
  await lead.save(day);
  onStep(day);
  return day;
}

/** Copies what is left of a day to the history, page by page; where it stands is written down now and then. */
async function copy(day: ArchiveDay, options: StepOptions): Promise<ArchiveDay> {
  const { lead, history, now, signal, onCopied } = options;
  let at = await enter(day, options);
  let savedMs = now();
  for (;;) {
    signal.throwIfAborted();
    const page = await lead.readPage(day.day, at.after, limits.maxArchivePageRuns);
    if (page.length === 0) break;
    await history.put(page);
    onCopied(page.reduce((sum, { count }) => sum + count, 0));
    const { conversationId, firstSeq } = page.at(-1)!;
    at = { ...at, after: { conversationId, firstSeq } };
    if (now() - savedMs < limits.archiveSaveMs) continue;
    await lead.save(at);
    savedMs = now();
  }
  const { after: _, ...rest } = at;
  return enter({ ...rest, step: "waiting", copiedTimeMs: now() }, options);
}

/** A day from its start, because the history did not have, or the source got, what was not copied. */
const again = ({ after: _, ...day }: ArchiveDay): ArchiveDay => ({
  ...day,
  step: "copying",
  recopies: day.recopies + 1,
});

/** Verifies a day and lets the source drop it, unless anything differs or has come since: then it is copied again. */
async function verifyAndDrop(day: ArchiveDay, options: StepOptions): Promise<ArchiveDay> {
  const { lead, history, now, signal, onVerified } = options;
  const mark = await lead.lateMark();
  const { repaired, ...figures } = await verifyDay({
    lead,
    history,
    signal,
    day: day.day,
    onMessages: onVerified,
  });
  if (repaired > 0) return enter(again(day), options);
  // From here on the catalogue says what the history has; the source still has it too.
  const dropping = await enter({ ...day, ...figures, step: "dropping" }, options);
  if (!(await lead.drop(day.day, mark))) return enter(again(dropping), options);
  return enter({ ...dropping, step: "archived", archivedTimeMs: now() }, options);
}

/** When the grace of a waiting day is over, Unix milliseconds. */
export const dueTimeMs = ({ copiedTimeMs }: ArchiveDay, graceMs: number): number => copiedTimeMs + graceMs;

/**
 * Takes a day as far as it goes now: to its end, or to the start of its grace. Every step may be cut off anywhere and
 * begun again: the copy repeats harmlessly, and nothing is dropped that was not verified since.
 */
export async function archiveDay(day: ArchiveDay, options: StepOptions): Promise<ArchiveDay> {
  const copied = day.step === "copying" ? await copy(day, options) : day;
  if (options.now() < dueTimeMs(copied, options.graceMs)) return copied;
  return verifyAndDrop(copied, options);
}
