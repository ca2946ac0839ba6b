import type { HistoryEvent } from "../history/history-event.ts";
import type { Kill } from "./server-killer.ts";

/** What is promised to those who are online: on the device so soon after the send. */
const promisedUs = 1_000_000;
const usPerMs = 1_000;

/**
 * For each harm, how many milliseconds after it the last message arrived that was later than promised; 0 = none was.
 * Members who joined later are left out: what they get first may be older than they are.
 */
export function measureBreaches(events: readonly HistoryEvent[], kills: readonly Pick<Kill, "startUs">[]): number[] {
  const invokedUs = new Map<string, number>();
  const founders = new Set<string>();
  const breaches = kills.map(() => 0);
  for (const event of events) {
    if (event.kind === "invoke") invokedUs.set(event.id, event.timeUs);
    else if (event.kind === "joined" && event.seq === 1) founders.add(`${event.conversation} ${event.user}`);
    else if (event.kind === "receive" && founders.has(`${event.conversation} ${event.user}`)) {
      const { timeUs } = event;
      if (timeUs - (invokedUs.get(event.message.id) ?? timeUs) <= promisedUs) continue;
      const at = kills.findLastIndex(({ startUs }) => startUs <= timeUs);
      if (at >= 0) breaches[at] = Math.max(breaches[at]!, (timeUs - kills[at]!.startUs) / usPerMs);
    }
  }
  return breaches;
}
