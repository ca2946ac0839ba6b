import { ChappeClientError } from "../client-error.ts";
import { pause } from "../timers.ts";
import { Frame } from "./frame.ts";
import { applyVerdict, type LaneContext } from "./lane-context.ts";
import type { PendingSend } from "./send-handle.ts";
import { encodeSend, packSends } from "./send-request.ts";

const aboutOneMessage: ReadonlySet<string> = new Set(["INVALID_ARGUMENT", "MALFORMED_PAYLOAD", "FRAME_TOO_LARGE"]);

/**
 * Decides what a refusal for good means for each send of the frame, and answers the frames to send in its place. No
 * send fails that may have reached the log in an earlier attempt, unless the server says that it has not.
 */
export async function refuse(frame: Frame, error: ChappeClientError, context: LaneContext): Promise<readonly Frame[]> {
  const tooOld = error.name === "ID_TIME_OUT_OF_RANGE";
  if (frame.resend || tooOld) await judge(frame, error, context);
  const left = frame.open;
  if (left.length === 0 || context.closing.aborted) return [];
  if (tooOld) return reissue(frame, left, error, context);
  if (left.length > 1 && aboutOneMessage.has(error.name)) return split(frame, left, error, context);
  for (const send of left) context.fail(send, error);
  return [];
}

async function judge(frame: Frame, refusal: ChappeClientError, context: LaneContext): Promise<void> {
  for (const send of frame.open) {
    const verdict = await context.calls.ask(send, frame.over.signal);
    applyVerdict(send, verdict, context);
    if (verdict.kind !== "unknown") continue;
    const { violations } = refusal;
    context.fail(send, new ChappeClientError(refusal, refusal.message, { violations, outcomeUnknown: true }));
  }
}

/** The log never had them and never will under these ids: fresh ids, once. */
async function reissue(
  frame: Frame,
  left: readonly PendingSend[],
  error: ChappeClientError,
  context: LaneContext,
): Promise<readonly Frame[]> {
  for (const send of left.filter((candidate) => candidate.reissued)) context.fail(send, error);
  const sends = left.filter((candidate) => !candidate.reissued);
  const first = sends[0];
  if (first === undefined) return [];
  // The server's clock may have been set since it last said what it shows.
  const serverTimeMs = await context.calls.serverTimeMs(frame.over.signal);
  if (serverTimeMs !== undefined) context.syncIds(serverTimeMs);
  for (const send of sends) {
    const oldKey = send.key;
    const id = context.nextId();
    send.rename(id, encodeSend(send.conversationId, id, send.content));
    context.renamed(send, oldKey);
  }
  const fresh = new Frame(first.key, packSends(sends.map((send) => send.request)), sends, false);
  return (await replace(frame, [fresh], context)) ? [fresh] : [];
}

/** Nothing of a refused frame was taken: the messages at fault fail, the others go one by one. */
async function split(
  frame: Frame,
  left: readonly PendingSend[],
  error: ChappeClientError,
  context: LaneContext,
): Promise<readonly Frame[]> {
  const blamed = new Set<PendingSend | undefined>();
  for (const { field } of error.violations) {
    const index = /^messages\[(\d+)\]/.exec(field)?.[1];
    if (index !== undefined) blamed.add(frame.sends[Number(index)]);
  }
  for (const send of left) if (blamed.has(send)) context.fail(send, error);
  const singles = left
    .filter((send) => !blamed.has(send))
    .map((send) => new Frame(send.key, send.request, [send], frame.resend));
  return singles.length === 0 || (await replace(frame, singles, context)) ? singles : [];
}

/** Stores the new frames in place of the old one, however long it takes; false when the outbox closed first. */
async function replace(old: Frame, frames: readonly Frame[], context: LaneContext): Promise<boolean> {
  while (!context.closing.aborted) {
    try {
      await context.persist([old.key], frames);
      return true;
    } catch {
      await pause(context.limits.retryBaseMs, context.closing);
    }
  }
  return false;
}
