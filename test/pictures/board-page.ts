import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string; readonly legendFormat?: string }[];
}
interface Dashboard {
  readonly title: string;
  readonly panels: readonly Panel[];
}
interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

const [width, height, left, bottom] = [600, 190, 56, 18];
const rangeSeconds = 80;
const colours = ["#3274d9", "#e0752d", "#3f6833", "#bf1b00", "#705da0", "#0a50a1"];
const escapeText = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** A dashboard of deploy/grafana. */
export function readBoard(name: string): Dashboard {
  const path = fileURLToPath(new URL(`../../deploy/grafana/dashboards/${name}.json`, import.meta.url));
  return JSON.parse(readFileSync(path, "utf8")) as Dashboard;
}

async function seriesOf(prometheus: string, expr: string): Promise<Series[]> {
  const end = Date.now() / 1_000;
  const range = { start: String(end - rangeSeconds), end: String(end), step: "1" };
  const query = new URLSearchParams({ query: expr.replaceAll("$__rate_interval", "15s"), ...range });
  const answer = (await (await fetch(`${prometheus}/api/v1/query_range?${query}`)).json()) as {
    data: { result: Series[] };
  };
  // A share of nothing is NaN: no point there.
  const isPoint = ([, value]: readonly [number, string]): boolean => Number.isFinite(Number(value));
  return answer.data.result.map(({ metric, values }) => ({ metric, values: values.filter(isPoint) }));
}

const legendOf = (format: string | undefined, { metric }: Series): string =>
  format?.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, name: string) => metric[name] ?? "") ??
  (Object.values(metric).join(", ") || "all");

async function drawPanel(prometheus: string, { title, targets }: Panel): Promise<string> {
  const found = await Promise.all(
    targets.map(async ({ expr, legendFormat }) =>
      (await seriesOf(prometheus, expr)).map((one) => ({ legend: legendOf(legendFormat, one), values: one.values })),
    ),
  );
  const lines = found.flat();
  const points = lines.flatMap(({ values }) => values.map(([time, value]) => [time, Number(value)] as const));
  const most = (Math.max(0, ...points.map(([, value]) => value)) || 1) * 1.1;
  const firstTime = Math.min(...points.map(([time]) => time));
  const span = Math.max(1, ...points.map(([time]) => time - firstTime));
  const x = (time: number): number => left + ((time - firstTime) / span) * (width - left - 8);
  const y = (value: number): number => (1 - value / most) * (height - bottom - 8) + 8;
  const grid = [0, 0.5, 1].map((share) => {
    const at = y(most * share);
    const label = `<text x="${left - 6}" y="${at + 4}" text-anchor="end">${(most * share).toPrecision(3)}</text>`;
    return `<line x1="${left}" x2="${width}" y1="${at}" y2="${at}" stroke="#ddd"/>${label}`;
  });
  const paths = lines.map(({ values }, index) => {
    const at = values.map(([time, value]) => `${x(time).toFixed(1)},${y(Number(value)).toFixed(1)}`);
    return `<polyline points="${at.join(" ")}" fill="none" stroke-width="1.6" stroke="${colours[index % colours.length]}"/>`;
  });
  const legend = lines.map(
    ({ legend: text }, index) => `<span style="color:${colours[index % colours.length]}">— ${escapeText(text)}</span>`,
  );
  const svg = `<svg width="${width}" height="${height}">${grid.join("")}${paths.join("")}</svg>`;
  return `<section><h2>${escapeText(title)}</h2>${svg}<p>${legend.join(" ")}</p></section>`;
}

/** A page with every panel of the dashboard, its lines drawn from what Prometheus answers to its queries. */
export async function boardPage(prometheus: string, { title, panels }: Dashboard): Promise<string> {
  const drawn = await Promise.all(panels.map((panel) => drawPanel(prometheus, panel)));
  const style = `body{font:13px sans-serif;margin:16px;background:#f4f5f5}main{display:grid;grid-template-columns:1fr 1fr;gap:12px}
section{background:#fff;border:1px solid #ddd;padding:8px}h1{font-size:18px}h2{font-size:14px;margin:0 0 6px}svg{font-size:11px;fill:#555}p{margin:2px 0;font-size:12px}`;
  return `<style>${style}</style><h1>${escapeText(title)}</h1><main>${drawn.join("")}</main>`;
}
