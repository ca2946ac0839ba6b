import { type LatencyCounts, latencyBoundsMs } from "./latency-counts.ts";
import {
  type Figures,
  type MetricRow,
  plainName,
  prometheusName,
  readHistogram,
  readMetric,
  registry,
} from "./registry.ts";

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

const msPerSecond = 1_000;

function labels(pairs: readonly (readonly [string, string])[]): string {
  return pairs.length === 0 ? "" : `{${pairs.map(([name, value]) => `${name}="${escaped(value)}"`).join()}}`;
}

function histogramLines(name: string, of: readonly (readonly [string, string])[], value: LatencyCounts): string[] {
  let below = 0;
  const buckets = latencyBoundsMs.map((boundMs, index) => {
    below += value.buckets[index]!;
    return `${name}_bucket${labels([...of, ["le", String(boundMs / msPerSecond)]])} ${below}`;
  });
  return [
    ...buckets,
    `${name}_bucket${labels([...of, ["le", "+Inf"]])} ${value.count}`,
    `${name}_sum${labels(of)} ${value.sumMs / msPerSecond}`,
    `${name}_count${labels(of)} ${value.count}`,
  ];
}

function linesOf(row: MetricRow, figures: Figures): string[] {
  const name = prometheusName(row);
  const labelsOf = (of: string | undefined) => (of === undefined ? [] : [[plainName(row.by!), of] as const]);
  if (row.type === "histogram")
    return readHistogram(row, figures).flatMap(({ value, of }) => histogramLines(name, labelsOf(of), value));
  return readMetric(row, figures).map(({ value, of }) => `${name}${labels(labelsOf(of))} ${value}`);
}

/** Figures of a process in the text format of Prometheus. */
export function prometheusText(figures: Figures): string {
  const lines: string[] = [];
  for (const row of registry.metrics) {
    const samples = linesOf(row, figures);
    if (samples.length === 0) continue;
    const name = prometheusName(row);
    lines.push(`# HELP ${name} ${escaped(row.about)}`, `# TYPE ${name} ${row.type}`, ...samples);
  }
  return `${lines.join("\n")}\n`;
}
