import { seededRandom } from "./random.ts";
import type { EventFault, Faults, RequestFault } from "./scripted-server.ts";

const retryable = ["OVERLOADED", "UNAVAILABLE", "DISK_FULL", "DEADLINE_EXCEEDED", "RATE_LIMITED"] as const;

/** Faults of every kind, with probabilities that the seed chooses. `stop()` ends them. */
export interface FaultSchedule extends Faults {
  readonly used: Map<string, number>;
  stop(): void;
}

/** The schedule of a seed. */
export function faultSchedule(seed: number): FaultSchedule {
  const random = seededRandom(seed);
  const rate = random.next() * 0.25;
  const used = new Map<string, number>();
  let on = true;
  const note = <T>(name: string, fault: T): T => {
    used.set(name, (used.get(name) ?? 0) + 1);
    return fault;
  };
  const requestFault = (name: string): RequestFault => {
    const choice = random.below(7);
    if (choice === 0) return note("cut before", "cut-before");
    if (choice === 1) return note("cut after", "cut-after");
    if (choice === 2) return note("refused", { refuse: random.pick(retryable), retryAfterMs: random.below(4) });
    if (choice === 3) return note("refused though applied", { refuse: random.pick(retryable), applied: true });
    if (choice === 4 && name === "Send")
      return note("refused for good though applied", { refuse: "ID_TIME_OUT_OF_RANGE", applied: true });
    if (choice === 5 && name === "Send") return note("ignored", "ignore");
    return note("slow", { delayMs: random.below(8) });
  };
  const eventFault = (): EventFault => {
    const choice = random.below(3);
    if (choice === 0) return note("event lost", "lose");
    if (choice === 1) return note("event twice", "twice");
    return note("event late", { delayMs: random.below(10) });
  };
  return {
    used,
    stop: () => {
      on = false;
    },
    request: (name) => (on && name !== "Hello" && random.chance(rate) ? requestFault(name) : undefined),
    event: () => (on && random.chance(rate * 2) ? eventFault() : undefined),
    sequenceDelayMs: () => random.below(4),
  };
}
