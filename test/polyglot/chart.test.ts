import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { coreRoles, wholeRoles } from "@chappe/services/all/config.ts";
import { settings } from "@chappe/services/all/settings.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runTool } from "./support/run-tool.ts";

const buildTimeoutMs = 600_000;
const chart = fileURLToPath(new URL("../../deploy/helm/chappe", import.meta.url));
const check = fileURLToPath(new URL("../../deploy/check", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "chappe-chart-"));
const program = join(folder, "check");

/** Renders the chart with these values on top of its own, every object read strictly by its type. */
async function render(values: Record<string, unknown>): Promise<string> {
  const file = join(folder, "values.json");
  writeFileSync(file, JSON.stringify(values));
  return runTool(program, [chart, file], { timeoutMs: 60_000 });
}

describe("the Helm chart", () => {
  beforeAll(
    () => runTool("go", ["build", "-o", program, "."], { cwd: check, timeoutMs: buildTimeoutMs }),
    buildTimeoutMs,
  );
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is good Kubernetes, with one Deployment, certificate and budget a role", async () => {
    const rendered = await render({});
    for (const line of ["8 apps/v1 Deployment", "8 cert-manager.io/v1 Certificate", "8 policy/v1 PodDisruptionBudget"])
      expect(rendered).toContain(line);
  });

  it("runs an archiver with HBase, and does without certificates and policies of its own", async () => {
    expect(await render({ engines: { hbaseZookeeper: "zookeeper:2181" } })).toContain("9 apps/v1 Deployment");
    const bare = await render({ meshTls: { certManager: { enabled: false } }, networkPolicy: { enabled: false } });
    expect(bare).not.toMatch(/Certificate|NetworkPolicy/);
  });

  it("names roles and settings that there are", async () => {
    const rendered = await runTool(program, ["--print", chart], { timeoutMs: 60_000 });
    const roles = [...rendered.matchAll(/--roles, "?([a-z-]+)"?/g)].map((match) => match[1]);
    const known: readonly string[] = [...wholeRoles, ...coreRoles];
    expect(roles.length).toBeGreaterThan(0);
    for (const role of roles) expect(known).toContain(role);
    const variables = new Set(rendered.match(/\bCHAPPE_[A-Z_]+\b/g));
    const ofSettings = new Set(settings.map(({ env }) => env));
    expect([...variables].filter((name) => !ofSettings.has(name))).toEqual([]);
    expect(variables.size).toBeGreaterThan(10);
  });

  it("is refused with a value of a wrong type", async () => {
    await expect(render({ roles: { route: { replicas: "three", autoscale: null } } })).rejects.toThrow(/replicas/);
  });
});
