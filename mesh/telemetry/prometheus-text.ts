import { type Figures, plainName, prometheusName, readMetric, registry } from "./registry.ts";

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

/** Figures of a process in the text format of Prometheus. */
export function prometheusText(figures: Figures): string {
  const lines: string[] = [];
  for (const row of registry.metrics) {
    const samples = readMetric(row, figures);
    if (samples.length === 0) continue;
    const name = prometheusName(row);
    lines.push(`# HELP ${name} ${escaped(row.about)}`, `# TYPE ${name} ${row.type}`);
    for (const { value, of } of samples)
      lines.push(`${name}${of === undefined ? "" : `{${plainName(row.by!)}="${escaped(of)}"}`} ${value}`);
  }
  return `${lines.join("\n")}\n`;
}
