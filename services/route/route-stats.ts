import { LatencyCounts } from "@chappe/mesh/telemetry/latency-counts.ts";

/** Calls of a Route since its start, by what became of them. */
export class RouteStats {
  answered = 0;
  /** The backend refused it, or was out of reach. */
  failed = 0;
  /** Route itself refused it: unknown, not open to the caller, too late. */
  refused = 0;
  /** No backend serves it. */
  unserved = 0;
  /** From the call to its answer or failure. */
  readonly time: LatencyCounts = new LatencyCounts();
}
