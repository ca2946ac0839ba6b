import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { limits } from "../limits.ts";
import { createHistogramProducer } from "./histogram-producer.ts";
import { type Figures, readMetric, registry } from "./registry.ts";

/** What startOtlpMetrics needs. */
export interface OtlpMetricsOptions {
  /** Base URL of the receiver; metrics go to /v1/metrics under it. */
  readonly url: string;
  /** Attributes of the process. */
  readonly resource: Readonly<Record<string, string>>;
  readonly intervalMs: number;
  /** Figures of the process now. */
  readonly figures: () => Figures;
  /** The same without those of the process itself, which count from one reading to the next. */
  readonly roleFigures: () => Figures;
}

const scalars = registry.metrics.filter(({ type }) => type !== "histogram");

/** Sends the metrics of the registry to an OTLP receiver, at intervals and once more at the end. */
export function startOtlpMetrics(options: OtlpMetricsOptions): { close(): Promise<void> } {
  const { url, resource, intervalMs, figures, roleFigures } = options;
  const exporter = new OTLPMetricExporter({ url: `${url}/v1/metrics`, timeoutMillis: limits.otlpTimeoutMs });
  const attributes = resourceFromAttributes(resource);
  const reader = new PeriodicExportingMetricReader({
    exporter,
    metricProducers: [createHistogramProducer(attributes, roleFigures)],
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(intervalMs, limits.otlpTimeoutMs),
  });
  const provider = new MeterProvider({ resource: attributes, readers: [reader] });
  const meter = provider.getMeter("chappe");
  const instruments = scalars.map((row) => {
    const options = { unit: row.unit, description: row.about };
    const made =
      row.type === "counter"
        ? meter.createObservableCounter(row.name, options)
        : meter.createObservableGauge(row.name, options);
    return { row, made };
  });
  meter.addBatchObservableCallback(
    (result) => {
      const now = figures();
      for (const { row, made } of instruments)
        for (const { value, of } of readMetric(row, now))
          result.observe(made, value, of === undefined ? {} : { [row.by!]: of });
    },
    instruments.map(({ made }) => made),
  );
  return { close: () => provider.shutdown() };
}
