import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, BatchSpanProcessor, type IdGenerator, TracerProvider } from "@opentelemetry/sdk-trace";
import { limits } from "../limits.ts";
import type { HopKind, HopSpan } from "./hop-spans.ts";
import type { SpanSink } from "./span-sink.ts";

/** What createOtlpSink needs. */
export interface OtlpSinkOptions {
  /** Base URL of the receiver, as in http://127.0.0.1:4318; spans go to /v1/traces under it. */
  readonly url: string;
  /** Attributes of the process. */
  readonly resource: Readonly<Record<string, string>>;
}

const kinds: Readonly<Record<HopKind, SpanKind>> = {
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
};

/** Gives out the ids that were computed. */
class GivenIds implements IdGenerator {
  traceId = "";
  spanId = "";
  generateTraceId = (): string => this.traceId;
  generateSpanId = (): string => this.spanId;
}

function parentContext({ traceId, parentSpanId }: HopSpan): Context {
  if (parentSpanId === undefined) return ROOT_CONTEXT;
  const parent = { traceId, spanId: parentSpanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
  return trace.setSpanContext(ROOT_CONTEXT, parent);
}

/** Spans to an OTLP receiver over HTTP, in batches; what does not fit limits.maxWaitingSpans is dropped. */
export function createOtlpSink({ url, resource }: OtlpSinkOptions): SpanSink {
  const ids = new GivenIds();
  const processor = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({ url: `${url}/v1/traces`, timeoutMillis: limits.otlpTimeoutMs }),
    maxQueueSize: limits.maxWaitingSpans,
    scheduledDelayMillis: limits.otlpDelayMs,
    exportTimeoutMillis: limits.otlpTimeoutMs,
  });
  const provider = new TracerProvider({
    idGenerator: ids,
    resource: resourceFromAttributes(resource),
    sampler: new AlwaysOnSampler(),
    spanProcessors: [processor],
  });
  // Clients are another service than the one that sends their spans.
  const clients = new TracerProvider({
    idGenerator: ids,
    resource: resourceFromAttributes({ "service.name": "chappe-client" }),
    sampler: new AlwaysOnSampler(),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer("chappe");
  const clientTracer = clients.getTracer("chappe");
  return {
    emit(hop) {
      ids.traceId = hop.traceId;
      ids.spanId = hop.spanId;
      const links = hop.links.map((link) => ({ context: { ...link, traceFlags: TraceFlags.SAMPLED } }));
      const attributes = hop.error === undefined ? hop.attributes : { ...hop.attributes, "error.type": hop.error };
      const startTime = hop.startMs;
      const span = (hop.isOfClient ? clientTracer : tracer).startSpan(
        hop.name,
        { kind: kinds[hop.kind], startTime, attributes, links },
        parentContext(hop),
      );
      if (hop.error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: hop.error });
      span.end(Math.max(startTime, hop.endMs));
    },
    close: () => provider.shutdown(),
  };
}
