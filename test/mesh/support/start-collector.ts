import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "@chappe/mesh/dev-engines/free-port.ts";
import { goBuild } from "../../polyglot/support/tools.ts";
import { answersWell, startProgram } from "./start-program.ts";

const source = fileURLToPath(new URL("../../../deploy/collector", import.meta.url));
const startTimeoutMs = 30_000;
const checkTimeoutMs = 2_000;
const emptyExport = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };

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
  const close = await startProgram({
    name: "collector",
    program,
    prepare(folder) {
      const config = join(folder, "collector.yaml");
      writeFileSync(config, configOf(port, grpcAddress, zipkinUrl));
      return ["--config", config];
    },
    check: () => answersWell(`${url}/v1/traces`, emptyExport, checkTimeoutMs),
    timeoutMs: startTimeoutMs,
  });
  return { url, grpcAddress, close };
}
