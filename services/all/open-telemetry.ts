import { hash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { TraceService } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { EngineSystems } from "@chappe/mesh/telemetry/engine-calls.ts";
import { type Hops, noHops } from "@chappe/mesh/telemetry/hops.ts";
import { LiveHops, type LiveHopsOptions } from "@chappe/mesh/telemetry/live-hops.ts";
import type { Figures } from "@chappe/mesh/telemetry/registry.ts";
import type { AskClient } from "@chappe/mesh/telemetry/span-maker.ts";
import type { SpanSink } from "@chappe/mesh/telemetry/span-sink.ts";
import { createTraceService, type TraceServiceOptions } from "@chappe/mesh/telemetry/trace-service.ts";
import type { EdgeService } from "../http-edge/rpc-handler.ts";
import type { Config } from "./config.ts";
import type { TraceStores } from "./find-message.ts";
import { createProcessMetrics, type ProcessMetrics } from "./process-metrics.ts";
import type { TraceLinks } from "./trace-links.ts";

/** What openTelemetry needs to know of the process. */
export interface TelemetryOptions {
  readonly config: Config;
  /** Name of its Login, or of the process. */
  readonly instanceId: string;
  /** Whether deliveries come by way of a Route. */
  readonly hasRoute: boolean;
}

/** What a process remembers and tells of the messages that pass. */
export interface Telemetry {
  readonly hops: Hops;
  /** Undefined when the ring is off. */
  readonly live: LiveHops | undefined;
  /** Who open connections belong to; set by the Login of the process. */
  ownerOf: TraceServiceOptions["ownerOf"];
  /** Asks clients for their spans; set by the Login of the process. */
  askClient: AskClient;
  /** The other processes; set by the first role that reaches them. */
  links: TraceLinks | undefined;
  /** Figures of the roles: each adds its own when it is up. */
  readonly stats: (() => Figures)[];
  readonly metrics: ProcessMetrics;
  /** Stores of the process; set when it has them. */
  stores: TraceStores | undefined;
  readonly instanceId: string;
  /** TraceService of the process for its links; undefined when another role of the process has it, or the ring is off. */
  takeService(): EdgeService | undefined;
  /** Sends what waits. */
  close(): Promise<void>;
}

function readTokenKey({ traceKeyFile }: Config): Uint8Array | undefined {
  if (traceKeyFile === undefined) return undefined;
  try {
    return readFileSync(traceKeyFile);
  } catch (cause) {
    const violations = [{ field: "traceKeyFile", rule: "file", message: "cannot be read" }];
    throw new ChappeError("INVALID_ARGUMENT", `traceKeyFile: ${traceKeyFile} cannot be read`, { violations, cause });
  }
}

/** From the secret of the mesh, so that all of its processes have the same. */
function saltOf({ linkSecretFile }: Config): number {
  const secret = linkSecretFile === undefined ? randomBytes(32) : readFileSync(linkSecretFile);
  return hash("sha256", Buffer.concat([Buffer.from("chappe-sampling"), secret]), "buffer").readUInt32BE(0);
}

/** What the settings put behind the ports, as semantic conventions name it. */
function systemsOf({ kafkaBrokers, mysqlUrl, redisAddresses }: Config): EngineSystems {
  return {
    log: kafkaBrokers.length > 0 ? "kafka" : "chappe",
    store: mysqlUrl === undefined ? "sqlite" : "mysql",
    window: "redis",
    ...(redisAddresses.length > 0 && { presence: "redis" }),
  };
}

/** The exporter is loaded only where it is used. */
async function openSink(
  { otlpUrl }: Config,
  resource: Readonly<Record<string, string>>,
): Promise<SpanSink | undefined> {
  if (otlpUrl === undefined) return undefined;
  const { createOtlpSink } = await import("@chappe/mesh/telemetry/otlp-sink.ts");
  return createOtlpSink({ url: otlpUrl.replace(/\/+$/, ""), resource });
}

async function openHops(
  { config, instanceId, hasRoute }: TelemetryOptions,
  resource: Readonly<Record<string, string>>,
  { onSpread, askClient }: Pick<Required<LiveHopsOptions>, "onSpread" | "askClient">,
): Promise<LiveHops | undefined> {
  const { traceRingEntries: ringEntries, traceRate: rate } = config;
  if (ringEntries === 0) return undefined;
  const tokenKey = readTokenKey(config);
  const sink = await openSink(config, resource);
  const salt = saltOf(config);
  const systems = systemsOf(config);
  return new LiveHops({ instanceId, ringEntries, rate, salt, sink, tokenKey, hasRoute, systems, onSpread, askClient });
}

/** Telemetry by the settings. INVALID_ARGUMENT when the key file cannot be read. */
export async function openTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { config, instanceId } = options;
  const resource = { "service.name": "chappe", "service.instance.id": instanceId, "chappe.roles": config.roles.join() };
  const live = await openHops(options, resource, {
    onSpread: (marks) => telemetry.links?.mark(marks),
    askClient: (connectionId, clientMessageId) => telemetry.askClient(connectionId, clientMessageId),
  });
  const stats: (() => Figures)[] = [];
  const metrics = await createProcessMetrics({ config, resource, live, stats });
  let taken = live === undefined;
  const telemetry: Telemetry = {
    hops: live ?? noHops,
    live,
    ownerOf: () => undefined,
    askClient: () => false,
    links: undefined,
    stores: undefined,
    instanceId,
    stats,
    metrics,
    takeService() {
      if (taken || live === undefined) return undefined;
      taken = true;
      const ownerOf: Telemetry["ownerOf"] = (connectionId) => telemetry.ownerOf(connectionId);
      return { service: TraceService, impl: createTraceService({ live, instanceId: config.instanceId, ownerOf }) };
    },
    async close() {
      await live?.close();
      await metrics.close();
    },
  };
  return telemetry;
}
