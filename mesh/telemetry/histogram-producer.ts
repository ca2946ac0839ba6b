import { type HrTime, ValueType } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";
import { type LatencyCounts, latencyBoundsMs } from "./latency-counts.ts";
import { type Figures, readHistogram, registry } from "./registry.ts";

const msPerSecond = 1_000;
const nanosecondsPerMs = 1_000_000;

function hrTimeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / msPerSecond);
  return [seconds, Math.round((ms - seconds * msPerSecond) * nanosecondsPerMs)];
}

const histogramOf = ({ buckets, count, sumMs }: LatencyCounts) => ({
  buckets: { boundaries: latencyBoundsMs.map((ms) => ms / msPerSecond), counts: Array.from(buckets) },
  sum: sumMs / msPerSecond,
  count,
});

/** The histograms of the registry as a source of metrics: they are counted here already, and only told. */
export function createHistogramProducer(resource: Resource, figures: () => Figures): MetricProducer {
  const startTime = hrTimeOf(Date.now());
  const rows = registry.metrics.filter(({ type }) => type === "histogram");
  return {
    async collect() {
      const now = figures();
      const endTime = hrTimeOf(Date.now());
      const metrics = rows.flatMap((row): MetricData[] => {
        const samples = readHistogram(row, now);
        if (samples.length === 0) return [];
        const { name, about: description, unit, by } = row;
        const dataPoints = samples.map(({ value, of }) => ({
          startTime,
          endTime,
          attributes: of === undefined ? {} : { [by!]: of },
          value: histogramOf(value),
        }));
        const descriptor = { name, description, unit, valueType: ValueType.DOUBLE };
        const aggregationTemporality = AggregationTemporality.CUMULATIVE;
        return [{ descriptor, aggregationTemporality, dataPointType: DataPointType.HISTOGRAM, dataPoints }];
      });
      const scopeMetrics = metrics.length === 0 ? [] : [{ scope: { name: "chappe" }, metrics }];
      return { resourceMetrics: { resource, scopeMetrics }, errors: [] };
    },
  };
}
