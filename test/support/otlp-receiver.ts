import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { vi } from "vitest";

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string; readonly doubleValue?: number };
}

/** A span as it came over the wire. */
export interface ReceivedSpan {
  /** Attributes of who sent it. */
  readonly resource: readonly Attribute[];
  readonly traceId: string;
  readonly spanId: string;
  /** Absent or empty on the first one of a trace. */
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

/** An OTLP receiver over HTTP of a test's own. */
export interface OtlpReceiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  /** Names of the metrics that came. */
  readonly metrics: Set<string>;
  /** Spans of a trace. */
  ofTrace(traceId: string): ReceivedSpan[];
  /** Waits until the trace has spans of all these names, each as often as it is listed; answers all of the trace. */
  waitFor(traceId: string, names: readonly string[]): Promise<ReceivedSpan[]>;
  close(): Promise<void>;
}

interface OtlpBody {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Omit<ReceivedSpan, "resource">[] }[];
  }[];
  readonly resourceMetrics?: readonly {
    readonly scopeMetrics: readonly { readonly metrics: readonly { readonly name: string }[] }[];
  }[];
}

/** The names that no span of the trace has, each as often as it is missing. */
function missingNames(trace: readonly ReceivedSpan[], names: readonly string[]): string[] {
  const left = [...names];
  for (const { name } of trace) if (left.includes(name)) left.splice(left.indexOf(name), 1);
  return left;
}

/** Takes JSON at /v1/traces and /v1/metrics. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const metrics = new Set<string>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as OtlpBody;
      for (const { scopeSpans, resource } of body.resourceSpans ?? [])
        for (const one of scopeSpans)
          spans.push(...one.spans.map((span) => ({ ...span, resource: resource.attributes })));
      for (const { scopeMetrics } of body.resourceMetrics ?? [])
        for (const one of scopeMetrics) for (const { name } of one.metrics) metrics.add(name);
      response.setHeader("content-type", "application/json");
      response.end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const ofTrace = (traceId: string): ReceivedSpan[] => spans.filter((span) => span.traceId === traceId);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    metrics,
    ofTrace,
    async waitFor(traceId, names) {
      const check = (): void => {
        const missing = missingNames(ofTrace(traceId), names);
        const there = ofTrace(traceId).map(({ name }) => name);
        if (missing.length > 0) throw new Error(`missing spans: ${missing.join()}; there are: ${there.join()}`);
      };
      await vi.waitFor(check, { timeout: 15_000, interval: 50 });
      return ofTrace(traceId);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What a tree is made of, whoever answers it. */
export type TreeSpan = Pick<ReceivedSpan, "spanId" | "parentSpanId" | "name">;

/** Name of a span's parent in the trace: "" for the first one, undefined when the parent is not there. */
export function parentName(span: TreeSpan, trace: readonly TreeSpan[]): string | undefined {
  if ((span.parentSpanId ?? "") === "") return "";
  return trace.find(({ spanId }) => spanId === span.parentSpanId)?.name;
}

/** Whether it is a read of the store for what was in no cache: most messages have none, the first ones some. */
const isColdRead = ({ name }: TreeSpan): boolean => name.startsWith("select ");

/** A tree without calls of engines, which are remembered of a late message only when they were slow or it was known to be traced. */
export const withoutCalls = (tree: readonly string[]): string[] => tree.filter((line) => !line.startsWith("append "));

/** Each span but cold reads as "name < name of its parent", sorted, equal ones once. */
export function treeOf(trace: readonly TreeSpan[]): string[] {
  const rest = trace.filter((span) => !isColdRead(span));
  return [...new Set(rest.map((span) => `${span.name} < ${parentName(span, trace) ?? "?"}`))].sort();
}

/** Name of the process that a span is of, or of the service when it says no name. */
export function instanceOf({ resource }: ReceivedSpan): string {
  const of = (key: string): string | undefined => resource.find((one) => one.key === key)?.value.stringValue;
  return of("service.instance.id") ?? of("service.name") ?? "";
}

/** The value of an attribute. */
export function attributeOf(span: ReceivedSpan, key: string): string | number | undefined {
  const value = span.attributes.find((one) => one.key === key)?.value;
  return value?.stringValue ?? (value?.intValue === undefined ? value?.doubleValue : Number(value.intValue));
}
