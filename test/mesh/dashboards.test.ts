import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import { LatencyCounts } from "@chappe/mesh/telemetry/latency-counts.ts";
import { prometheusText } from "@chappe/mesh/telemetry/prometheus-text.ts";
import { type Figures, registry } from "@chappe/mesh/telemetry/registry.ts";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openDevice } from "../support/chat-device.ts";
import { directId, registerMany } from "../support/http-user.ts";
import { type Prometheus, startPrometheus } from "./support/start-prometheus.ts";

const pathOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string): string => readFileSync(pathOf(path), "utf8");

interface Dashboard {
  readonly title: string;
  readonly panels: readonly { title: string; targets: readonly { expr: string }[] }[];
}
const boards = readdirSync(pathOf("deploy/grafana/dashboards")).map(
  (name) => JSON.parse(read(`deploy/grafana/dashboards/${name}`)) as Dashboard,
);
const queries = boards.flatMap(({ title, panels }) =>
  panels.flatMap((panel) => panel.targets.map(({ expr }) => ({ where: `${title}: ${panel.title}`, expr }))),
);
const rules = read("deploy/prometheus/alerts.yaml");
const alerts = [...rules.matchAll(/- alert: (\w+)\n +expr: (.+)\n[\s\S]*?runbook: (\S+)/g)].map(
  ([, name, expr, runbook]) => ({ name: name!, expr: expr!, runbook: runbook! }),
);

/** Figures in which every metric of the registry has a value. */
function allFigures(): Figures {
  const figures: Record<string, unknown> = {};
  const set = (path: string, value: unknown): void => {
    const keys = path.split(".");
    let at = figures;
    for (const key of keys.slice(0, -1)) {
      at[key] ??= {};
      at = at[key] as Record<string, unknown>;
    }
    at[keys.at(-1)!] = value;
  };
  for (const { from, by, type } of registry.metrics) {
    const value = type === "histogram" ? new LatencyCounts() : 1;
    if (typeof from === "string") set(from, by === undefined ? value : { any: value });
    else for (const path of Object.values(from)) set(path, value);
  }
  return figures;
}

const emitted = [...prometheusText(allFigures()).matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name!);

/** Names of metrics in a query that are not in the registry. */
function unknownIn(expr: string): string[] {
  const known = new Set(["up", ...emitted, ...emitted.map((name) => `${name}_bucket`), "histogram_quantile"]);
  const names = expr.replaceAll(/\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)/g, " ").match(/[a-z][a-z0-9]*_[a-z0-9_]+|\bup\b/g);
  return (names ?? []).filter((name) => !known.has(name));
}

describe("dashboards and alerts", () => {
  test("name metrics of the registry alone", () => {
    expect(emitted).toHaveLength(registry.metrics.length);
    expect(queries.length).toBeGreaterThan(30);
    for (const { expr } of [...queries, ...alerts]) expect(unknownIn(expr), expr).toEqual([]);
    expect(unknownIn("rate(chappe_no_such_total[1m])")).toEqual(["chappe_no_such_total"]);
  });

  test("each alert has its page, and promtool takes the rules", async () => {
    expect(alerts).toHaveLength(rules.match(/- alert:/g)!.length);
    for (const { name, runbook } of alerts) {
      expect(existsSync(pathOf(runbook)), runbook).toBe(true);
      expect(read(runbook).startsWith(`# ${name}\n`)).toBe(true);
    }
    const check = promisify(execFile);
    await check("promtool", ["check", "rules", pathOf("deploy/prometheus/alerts.yaml")]);
    await check("promtool", ["check", "config", pathOf("deploy/prometheus/prometheus.yaml")]);
  });
});

describe("on a Prometheus that reads a running Chappe", () => {
  const folder = mkdtempSync(join(tmpdir(), "chappe-dashboards-"));
  let server: ServerProcess;
  let prometheus: Prometheus;

  beforeAll(async () => {
    const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_OPS_PORT: "0" };
    const dataDir = join(folder, "data");
    server = await startServer({ dataDir, env: { ...env, CHAPPE_RECONCILE_INTERVAL_MS: "1000" } });
    const rulesFile = pathOf("deploy/prometheus/alerts.yaml");
    prometheus = await startPrometheus([`127.0.0.1:${server.ready.opsPort}`], { intervalMs: 500, rulesFile });
  });
  afterAll(async () => {
    await prometheus?.close();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("every panel and alert has something to show", async () => {
    const url = `http://127.0.0.1:${server.port}`;
    const [ann, ben] = await registerMany(url, "u", 2);
    const talk = async (): Promise<void> => {
      const sender = await openDevice(url, ann!.token);
      const reader = await openDevice(url, ben!.token, 7n);
      await reader.receive(await sender.send(directId(ann!, ben!)));
      for (const { socket } of [sender, reader]) socket.close();
    };
    const empty = async (): Promise<string[]> => {
      await talk();
      const found = await Promise.all(queries.map(({ expr }) => seriesOf(expr.replaceAll("$__rate_interval", "1m"))));
      return queries.filter((_, i) => found[i] === 0).map(({ where, expr }) => `${where}: ${expr}`);
    };
    await vi.waitFor(async () => expect(await empty()).toEqual([]), { timeout: 50_000, interval: 1_000 });
    for (const { name, expr } of alerts) {
      // Without its comparison: what it watches is there.
      const watched = expr.replace(/ (?:[<>]|==) [\d.]+$/, "");
      expect(watched).not.toBe(expr);
      expect(await seriesOf(watched), name).toBeGreaterThan(0);
    }
  });

  const seriesOf = async (query: string): Promise<number> => (await prometheus.query(query)).length;
});
