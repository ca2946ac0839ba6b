import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "@chappe/mesh/dev-engines/free-port.ts";
import { answersWell, startProgram } from "./start-program.ts";

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
  const flags = ["--config.file=prometheus.yaml", "--storage.tsdb.path=tsdb"];
  const close = await startProgram({
    name: "prometheus",
    program: "prometheus",
    prepare(folder) {
      writeFileSync(join(folder, "prometheus.yaml"), configOf(targets, intervalMs, rulesFile));
      return [...flags, `--web.listen-address=127.0.0.1:${port}`];
    },
    check: () => answersWell(`${url}/-/ready`, {}, askTimeoutMs),
    timeoutMs: startTimeoutMs,
    endsBy: "SIGTERM",
  });
  return {
    url,
    async query(expr) {
      const asked = `${url}/api/v1/query?query=${encodeURIComponent(expr)}`;
      const answer = (await (await fetch(asked, { signal: AbortSignal.timeout(askTimeoutMs) })).json()) as Answer;
      if (answer.status !== "success") throw new Error(`${expr}: ${answer.error}`);
      return answer.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
    close,
  };
}
