/** Writes deploy/grafana/dashboards from dashboard-panels.ts: node scripts/generate-dashboards.ts */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type DashboardPanel, dashboards } from "./dashboard-panels.ts";

const panelWidth = 12;
const panelHeight = 8;
const datasource = { type: "prometheus", uid: "chappe-prometheus" };

const renderPanel = ({ title, unit, queries }: DashboardPanel, index: number) => ({
  id: index + 1,
  type: "timeseries",
  title,
  datasource,
  gridPos: {
    x: (index % 2) * panelWidth,
    y: Math.floor(index / 2) * panelHeight,
    w: panelWidth,
    h: panelHeight,
  },
  fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
  targets: Object.entries(queries).map(([legendFormat, expr], at) => ({
    refId: String.fromCharCode("A".charCodeAt(0) + at),
    datasource,
    expr,
    legendFormat,
  })),
});

/** Text of the files by their names. */
export function renderDashboards(): Map<string, string> {
  return new Map(
    Object.entries(dashboards).map(([name, { title, panels }]) => {
      const dashboard = {
        uid: `chappe-${name}`,
        title,
        tags: ["chappe"],
        schemaVersion: 39,
        version: 1,
        editable: false,
        refresh: "10s",
        time: { from: "now-30m", to: "now" },
        panels: panels.map(renderPanel),
      };
      return [`${name}.json`, `${JSON.stringify(dashboard)}\n`];
    }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = new URL("../deploy/grafana/dashboards/", import.meta.url);
  for (const [name, text] of renderDashboards()) writeFileSync(new URL(name, folder), text);
}
