import { limits } from "@chappe/mesh/limits.ts";
import type { LiveHops } from "@chappe/mesh/telemetry/live-hops.ts";
import { createProcessFigures } from "@chappe/mesh/telemetry/process-figures.ts";
import type { Figures } from "@chappe/mesh/telemetry/registry.ts";
import type { Config } from "./config.ts";

/** The promises: most messages are on a device within the first, all within the second. */
const promisedMs = 120;
const latestMs = 1_000;
const msPerSecond = 1_000;

/** Figures of a process for its metrics. */
export interface ProcessMetrics {
  figures(): Figures;
  /** The same without those of the process itself, which count from one reading to the next. */
  roleFigures(): Figures;
  /** Sends what there is to the OTLP receiver, when the settings name one. */
  close(): Promise<void>;
}

/** What createProcessMetrics needs. */
export interface ProcessMetricsOptions {
  readonly config: Config;
  readonly resource: Readonly<Record<string, string>>;
  readonly live: LiveHops | undefined;
  /** Figures of the roles, as they come to be. */
  readonly stats: readonly (() => Figures)[];
}

function hopFigures(live: LiveHops | undefined): Figures {
  if (live === undefined) return {};
  const { deliveryMs, spans, ring } = live;
  return {
    delivery: {
      within120Ms: deliveryMs.within(promisedMs),
      within1S: deliveryMs.within(latestMs),
      count: deliveryMs.count,
      sumSeconds: deliveryMs.sumMs / msPerSecond,
      age: deliveryMs,
    },
    callTimes: live.callTimes,
    trace: {
      hops: ring.next,
      spans: spans?.emitted ?? 0,
      marks: spans?.marks.size ?? 0,
      marksDropped: spans?.marks.dropped ?? 0,
    },
  };
}

interface RoleFigures {
  readonly login?: { readonly pushes: number; readonly pushesGone: number };
  readonly writer?: { readonly stopped: readonly unknown[] };
}

function derivedFigures({ login, writer }: RoleFigures): Figures {
  return {
    ...(login && { presenceDrift: login.pushes === 0 ? 0 : login.pushesGone / login.pushes }),
    ...(writer && { stoppedPartitions: writer.stopped.length }),
  };
}

/** Limits stand beside what they bound. */
function limitFigures(roles: Figures): Figures {
  return {
    ...("login" in roles && { maxConnections: limits.maxConnections }),
    ...("waiting" in roles && { maxLaneMessages: limits.maxLaneMessages }),
  };
}

/** Metrics by the settings; the exporter is loaded only where it is used. */
export async function createProcessMetrics(options: ProcessMetricsOptions): Promise<ProcessMetrics> {
  const { config, resource, live, stats } = options;
  const { otlpUrl, metricsIntervalMs: intervalMs } = config;
  const own = createProcessFigures();
  const roleFigures = (): Figures => {
    const roles: Figures = Object.assign({}, ...stats.map((read) => read()));
    const derived = derivedFigures(roles as RoleFigures);
    return { ...roles, ...hopFigures(live), derived, limits: limitFigures(roles) };
  };
  const figures = (): Figures => ({ ...roleFigures(), process: own.read() });
  const exporting =
    otlpUrl === undefined
      ? undefined
      : (await import("@chappe/mesh/telemetry/otlp-metrics.ts")).startOtlpMetrics({
          url: otlpUrl.replace(/\/+$/, ""),
          resource,
          intervalMs,
          figures,
          roleFigures,
        });
  return {
    figures,
    roleFigures,
    async close() {
      await exporting?.close().catch(() => undefined);
      own.close();
    },
  };
}
