import { LatencyCounts } from "./latency-counts.ts";
import data from "./registry.json" with { type: "json" };

/** A metric, and where in the figures of a process its value is. */
export interface MetricRow {
  readonly name: string;
  /** A histogram is read from a LatencyCounts, in seconds. */
  readonly type: "gauge" | "counter" | "histogram";
  readonly unit: string;
  readonly about: string;
  /** The attribute that tells values apart; undefined = there is one value. */
  readonly by?: string;
  /** Path of the value, path by attribute value, or path of an object whose keys are attribute values. */
  readonly from: string | Readonly<Record<string, string>>;
}

/** A span or an attribute. */
export interface NamedRow {
  readonly name: string;
  readonly type: string;
  readonly about: string;
}

/** Everything that processes emit: what is not listed is not emitted. */
export const registry: {
  readonly metrics: readonly MetricRow[];
  readonly spans: readonly NamedRow[];
  readonly attributes: readonly NamedRow[];
} = data as never;

/** One histogram of a metric. */
export interface HistogramSample {
  readonly value: LatencyCounts;
  /** Undefined = the metric has one. */
  readonly of: string | undefined;
}

/** One value of a metric. */
export interface Sample {
  readonly value: number;
  /** Undefined = the metric has one value. */
  readonly of: string | undefined;
}

/** Figures of a process, a tree of objects and numbers. */
export type Figures = Readonly<Record<string, unknown>>;

function valueAt(figures: Figures, path: string): unknown {
  let value: unknown = figures;
  for (const key of path.split(".")) value = (value as Figures | undefined)?.[key];
  return value;
}

/** What stands where a metric is read, by attribute value. */
function valuesOf({ from, by }: MetricRow, figures: Figures): (readonly [string | undefined, unknown])[] {
  if (typeof from !== "string") return Object.entries(from).map(([of, path]) => [of, valueAt(figures, path)]);
  return by === undefined ? [[undefined, valueAt(figures, from)]] : Object.entries(valueAt(figures, from) ?? {});
}

/** The values that a gauge or counter has in these figures; none when the process does not have what it measures. */
export function readMetric(row: MetricRow, figures: Figures): Sample[] {
  return valuesOf(row, figures).flatMap(([of, value]) => (typeof value === "number" ? [{ of, value }] : []));
}

/** The same of a histogram. */
export function readHistogram(row: MetricRow, figures: Figures): HistogramSample[] {
  return valuesOf(row, figures).flatMap(([of, value]) => (value instanceof LatencyCounts ? [{ of, value }] : []));
}

/** A name with the characters that Prometheus takes. */
export const plainName = (name: string): string => name.replaceAll(/[^a-zA-Z0-9_]/g, "_");

const unitSuffixes: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" };

/** The name under which Prometheus has a metric. */
export function prometheusName({ name, type, unit }: MetricRow): string {
  return `${plainName(name)}${unitSuffixes[unit] ?? ""}${type === "counter" ? "_total" : ""}`;
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "-"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** The registry as a page. */
export function describeRegistry(): string {
  const named = (rows: readonly NamedRow[]) =>
    table(
      ["name", "type", "meaning"],
      rows.map(({ name, type, about }) => [`\`${name}\``, type, about]),
    );
  const metrics = registry.metrics.map((row) => [
    `\`${row.name}\``,
    `\`${prometheusName(row)}\``,
    row.type,
    row.unit,
    row.by === undefined ? "" : `\`${row.by}\``,
    row.about,
  ]);
  return [
    "# Telemetry",
    "Made from `mesh/telemetry/registry.json`: everything that processes emit.",
    "## Metrics",
    table(["name", "for Prometheus", "type", "unit", "by", "meaning"], metrics),
    "## Spans",
    "The trace id of a message is its client message id.",
    named(registry.spans),
    "## Attributes",
    named(registry.attributes),
    "",
  ].join("\n\n");
}
