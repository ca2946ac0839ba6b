import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { renderDashboards } from "./generate-dashboards.ts";

const folder = new URL("../deploy/grafana/dashboards/", import.meta.url);

test("the dashboards are those of the table of panels: node scripts/generate-dashboards.ts", () => {
  const rendered = renderDashboards();
  expect(readdirSync(folder).sort()).toEqual([...rendered.keys()].sort());
  for (const [name, text] of rendered)
    expect(JSON.parse(readFileSync(new URL(name, folder), "utf8"))).toEqual(JSON.parse(text));
});
