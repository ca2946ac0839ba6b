import type { Change } from "@chappe/gen/proto/chappe/mesh/v1/change_pb.ts";
import { BoundedMap } from "../auth/bounded-map.ts";
import { aggregateOf } from "./read-change.ts";

/** The newest version of each aggregate that a reader has dealt with. */
export interface SeenVersions {
  /** Whether the change is one the reader knows, newer than what it has seen. */
  isNew(change: Change): boolean;
  /** Call it when the change has had its effect. */
  add(change: Change): void;
}

/** Remembers at most `maxAggregates`; of one that made room a repeated change counts as new, so effects must bear that. */
export function createSeenVersions(maxAggregates: number): SeenVersions {
  const versions = new BoundedMap<string, bigint>(maxAggregates);
  return {
    isNew(change) {
      const aggregate = aggregateOf(change);
      return aggregate !== undefined && change.version > (versions.get(aggregate) ?? 0n);
    },
    add(change) {
      const aggregate = aggregateOf(change);
      if (aggregate !== undefined) versions.set(aggregate, change.version);
    },
  };
}
