import type { Delivery, DeliverySinks } from "@chappe/mesh/rpc/delivery.ts";

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

/** A worker over the Login processes that `sinks` finds. */
export function createSignallingWorker(sinks: DeliverySinks): SignallingWorker {
  const deliverOne = async ({ loginId, deliveries }: LoginBatch): Promise<readonly bigint[]> => {
    const sink = sinks.sink(loginId);
    if (sink === undefined) return deliveries.flatMap((delivery) => delivery.connectionIds);
    return sink.deliver(deliveries);
  };
  return {
    async deliver(batches) {
      const missing = await Promise.all(batches.map(deliverOne));
      return new Set(missing.flat());
    },
  };
}
