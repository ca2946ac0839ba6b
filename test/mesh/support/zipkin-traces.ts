import { vi } from "vitest";
import { type TreeSpan, treeOf } from "../../support/otlp-receiver.ts";

/** A span as Zipkin's API answers it. */
interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  /** Absent on the first one of a trace. */
  readonly parentId?: string;
  readonly name: string;
  readonly localEndpoint: { readonly serviceName: string };
}

/** A span of the store. */
export interface StoredSpan extends TreeSpan {
  readonly service: string;
}

const foundWithinMs = 20_000;
const askTimeoutMs = 5_000;

const toStored = ({ id, parentId = "", name, localEndpoint }: ZipkinSpan): StoredSpan => ({
  spanId: id,
  parentSpanId: parentId,
  name,
  service: localEndpoint.serviceName,
});

/** The spans of a trace; none when it is not there. */
export async function traceOf(url: string, traceId: string): Promise<StoredSpan[]> {
  const answer = await fetch(`${url}/api/v2/trace/${traceId}`, { signal: AbortSignal.timeout(askTimeoutMs) });
  return answer.ok ? ((await answer.json()) as ZipkinSpan[]).map(toStored) : [];
}

/** Waits until Zipkin's API answers a trace with this tree, as treeOf writes it, and this many spans at least. */
export async function waitForTrace(url: string, traceId: string, tree: readonly string[], atLeast = tree.length) {
  const check = async (): Promise<void> => {
    const trace = await traceOf(url, traceId);
    const there = treeOf(trace);
    const missing = tree.filter((line) => !there.includes(line));
    const more = there.filter((line) => !tree.includes(line));
    if (missing.length > 0 || more.length > 0 || trace.length < atLeast)
      throw new Error(`missing: ${missing.join("; ")}; too many: ${more.join("; ")}; ${trace.length} spans`);
  };
  await vi.waitFor(check, { timeout: foundWithinMs, interval: 100 });
}

/** Ids of the traces that begin with such a span. */
export async function tracesWith(url: string, spanName: string): Promise<string[]> {
  const query = new URLSearchParams({ spanName, limit: "50", lookback: "600000" });
  const answer = await fetch(`${url}/api/v2/traces?${query}`, { signal: AbortSignal.timeout(askTimeoutMs) });
  const traces = (await answer.json()) as ZipkinSpan[][];
  return traces.map((trace) => trace[0]!.traceId);
}
