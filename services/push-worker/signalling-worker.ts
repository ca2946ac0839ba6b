import type { Delivery, DeliverySinks } from "@chappe/mesh/rpc/delivery.ts";
import { type Hops, noHops } from "@chappe/mesh/telemetry/hops.ts";

/** Events for one Login process. */
export interface LoginBatch {
  readonly loginId: string;
  readonly deliveries: readonly Delivery[];
}

/** Takes events to Login processes; keeps nothing per device. */
export interface SignallingWorker {
  /** Answers the connections that are not there any more, those of a Login that is gone included. */
  deliver(batches: readonly LoginBatch[]): Promise<ReadonlySet<bigint>>;
}

/** A worker over the Login processes that `sinks` finds; `hops` is told of the messages that pass. */
export function createSignallingWorker(sinks: DeliverySinks, hops: Hops = noHops): SignallingWorker {
  const deliverOne = async ({ loginId, deliveries }: LoginBatch): Promise<readonly bigint[]> => {
    const sink = sinks.sink(loginId);
    if (sink === undefined) return deliveries.flatMap((delivery) => delivery.connectionIds);
    const from = hops.cursor;
    hops.delivering(deliveries, loginId);
    const until = hops.cursor;
    const gone = await sink.deliver(deliveries);
    hops.end(from, until);
    return gone;
  };
  return {
    async deliver(batches) {
      const missing = await Promise.all(batches.map(deliverOne));
      return new Set(missing.flat());
    },
  };
}
