import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createEngineServer } from "@chappe/mesh/dev-engines/engine-server.ts";
import { freePort } from "@chappe/mesh/dev-engines/free-port.ts";
import { openRunDirectory } from "@chappe/mesh/dev-engines/run-directory.ts";

const startTimeoutMs = 30_000;
const askTimeoutMs = 5_000;

/** A Prometheus of a test's own. */
export interface Prometheus {
  readonly url: string;
  /** Series that a query answers now, with their values. Rejects with what is wrong with the query. */
  query(
    expr: string,
  ): Promise<readonly { readonly metric: Readonly<Record<string, string>>; readonly value: number }[]>;
  close(): Promise<void>;
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: { readonly result: readonly { metric: Record<string, string>; value: readonly [number, string] }[] };
}

/** JSON is YAML. */
const configOf = (targets: readonly string[], intervalMs: number, rulesFile: string | undefined): string =>
  JSON.stringify({
    global: { scrape_interval: `${intervalMs}ms` },
    rule_files: rulesFile === undefined ? [] : [rulesFile],
    scrape_configs: [{ job_name: "chappe", static_configs: [{ targets }] }],
  });

/** Starts one that reads /metrics of these "host:port" as job "chappe", and may judge by a file of rules. */
export async function startPrometheus(
  targets: readonly string[],
  { intervalMs = 1_000, rulesFile }: { readonly intervalMs?: number; readonly rulesFile?: string } = {},
): Promise<Prometheus> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const run = openRunDirectory("prometheus", undefined);
  writeFileSync(join(run.path, "prometheus.yaml"), configOf(targets, intervalMs, rulesFile));
  const flags = ["--config.file=prometheus.yaml", "--storage.tsdb.path=tsdb"];
  const ask = (path: string): Promise<Response> =>
    fetch(`${url}${path}`, { signal: AbortSignal.timeout(askTimeoutMs) });
  const server = createEngineServer({
    what: `prometheus on port ${port}`,
    process: {
      program: "prometheus",
      args: [...flags, `--web.listen-address=127.0.0.1:${port}`],
      cwd: run.path,
      logFile: join(run.path, "prometheus.log"),
      ...(run.temporary !== undefined && { temporaryDirectory: run.temporary }),
    },
    async check() {
      const answer = await ask("/-/ready");
      if (!answer.ok) throw new Error(`it answers ${answer.status}`);
    },
    timeoutMs: startTimeoutMs,
  });
  const close = async (): Promise<void> => {
    await server.kill("SIGTERM");
    run.remove();
  };
  try {
    await server.ready();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url,
    async query(expr) {
      const answer = (await (await ask(`/api/v1/query?query=${encodeURIComponent(expr)}`)).json()) as Answer;
      if (answer.status !== "success") throw new Error(`${expr}: ${answer.error}`);
      return answer.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
    close,
  };
}
