import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { DeliverySink } from "@chappe/mesh/rpc/delivery.ts";

/** Names of the failures that a developer may cause. */
export const switchNames = ["refuseAppends", "delayDeliveries"] as const;

/** One of switchNames. */
export type SwitchName = (typeof switchNames)[number];

/** How a failure stands. */
export interface SwitchState {
  readonly name: SwitchName;
  /** 0 = off. */
  readonly leftMs: number;
}

/** Failures on demand, for a developer's own server: each ends by itself, and none harms what is stored. */
export interface FailureSwitches {
  states(): SwitchState[];
  /** Turns one on for so long, at most limits.maxFailureMs; 0 turns it off. */
  set(name: SwitchName, forMs: number): void;
  /** A log that refuses appends of messages, before anything is written, while the switch is on. */
  overLog(log: Log): Log;
  /** A Login that gets deliveries later, in their order, while the switch is on. */
  overSink(sink: DeliverySink): DeliverySink;
}

/** Failures that are all off. `now` answers Unix milliseconds. */
export function createFailureSwitches(now: () => number = Date.now): FailureSwitches {
  const untilMs: Record<SwitchName, number> = { refuseAppends: 0, delayDeliveries: 0 };
  const isOn = (name: SwitchName): boolean => now() < untilMs[name];
  let tail: Promise<unknown> = Promise.resolve();
  let delayed = 0;
  return {
    states: () => switchNames.map((name) => ({ name, leftMs: Math.max(0, untilMs[name] - now()) })),
    set(name, forMs) {
      untilMs[name] = now() + Math.min(forMs, limits.maxFailureMs);
    },
    overLog: (log) => ({
      partitions: log.partitions,
      append(topic, partition, payload) {
        if (topic === "messages" && isOn("refuseAppends")) return Promise.reject(new ChappeError("UNAVAILABLE"));
        return log.append(topic, partition, payload);
      },
      end: (topic, partition) => log.end(topic, partition),
      subscribe: (topic, group, consumer) => log.subscribe(topic, group, consumer),
      close: () => log.close(),
    }),
    overSink: (sink) => ({
      deliver(deliveries) {
        if (!isOn("delayDeliveries") && delayed === 0) return sink.deliver(deliveries);
        delayed++;
        const dueMs = now() + (isOn("delayDeliveries") ? limits.failureDelayMs : 0);
        const turn = tail.then(async () => {
          const waitMs = dueMs - now();
          if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
          return sink.deliver(deliveries);
        });
        const over = (): void => void delayed--;
        tail = turn.then(over, over);
        return turn;
      },
    }),
  };
}
