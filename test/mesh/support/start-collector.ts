import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createEngineServer } from "@chappe/mesh/dev-engines/engine-server.ts";
import { freePort } from "@chappe/mesh/dev-engines/free-port.ts";
import { openRunDirectory } from "@chappe/mesh/dev-engines/run-directory.ts";
import { goBuild } from "../../polyglot/support/tools.ts";

const source = fileURLToPath(new URL("../../../deploy/collector", import.meta.url));
const startTimeoutMs = 30_000;
const checkTimeoutMs = 2_000;

/** An OpenTelemetry collector between Chappe and a Zipkin. */
export interface Collector {
  /** Takes OTLP over HTTP. */
  readonly url: string;
  /** Takes OTLP over gRPC, host:port. */
  readonly grpcAddress: string;
  close(): Promise<void>;
}

/** Its program, built from deploy/collector; the first time takes minutes. */
const buildCollector = (): Promise<string> => goBuild(source, ".", join("bin", "otelcol"));

const configOf = (port: number, grpcAddress: string, zipkinUrl: string): string => `receivers:
  otlp: { protocols: { http: { endpoint: "127.0.0.1:${port}" }, grpc: { endpoint: "${grpcAddress}" } } }
processors:
  batch: { timeout: 100ms }
exporters:
  zipkin: { endpoint: "${zipkinUrl}/api/v2/spans", format: json }
service:
  telemetry: { metrics: { level: none } }
  pipelines:
    traces: { receivers: [otlp], processors: [batch], exporters: [zipkin] }
`;

/** Starts it and waits until it takes spans. */
export async function startCollector(zipkinUrl: string): Promise<Collector> {
  const program = await buildCollector();
  const port = await freePort();
  const grpcAddress = `127.0.0.1:${await freePort()}`;
  const url = `http://127.0.0.1:${port}`;
  const run = openRunDirectory("collector", undefined);
  const config = join(run.path, "collector.yaml");
  writeFileSync(config, configOf(port, grpcAddress, zipkinUrl));
  const server = createEngineServer({
    what: `collector on port ${port}`,
    process: {
      program,
      args: ["--config", config],
      cwd: run.path,
      logFile: join(run.path, "collector.log"),
      ...(run.temporary !== undefined && { temporaryDirectory: run.temporary }),
    },
    async check() {
      const headers = { "content-type": "application/json" };
      const signal = AbortSignal.timeout(checkTimeoutMs);
      const answer = await fetch(`${url}/v1/traces`, { method: "POST", headers, body: "{}", signal });
      if (!answer.ok) throw new Error(`it answers ${answer.status}`);
    },
    timeoutMs: startTimeoutMs,
  });
  const close = async (): Promise<void> => {
    await server.kill("SIGKILL");
    run.remove();
  };
  try {
    await server.ready();
  } catch (error) {
    await close();
    throw error;
  }
  return { url, grpcAddress, close };
}
