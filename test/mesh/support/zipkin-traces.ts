import { vi } from "vitest";

/** A span as Zipkin's API answers it. */
export interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  /** Absent on the first one of a trace. */
  readonly parentId?: string;
  readonly name: string;
  readonly localEndpoint?: { readonly serviceName?: string };
  readonly tags?: Readonly<Record<string, string>>;
}

/** How spans begin that are there or not, as a cache will have it. */
const lookUp = "select ";
const foundWithinMs = 20_000;
const askTimeoutMs = 5_000;

/** Each span as "name < name of its parent", sorted, equal ones once; "?" = the parent is not there. */
export function zipkinTree(trace: readonly ZipkinSpan[]): string[] {
  const names = new Map(trace.map(({ id, name }) => [id, name]));
  const parentOf = ({ parentId }: ZipkinSpan): string => (parentId === undefined ? "" : (names.get(parentId) ?? "?"));
  return [...new Set(trace.map((span) => `${span.name} < ${parentOf(span)}`))].sort();
}

/** The spans of a trace; none when it is not there. */
export async function traceOf(url: string, traceId: string): Promise<ZipkinSpan[]> {
  const answer = await fetch(`${url}/api/v2/trace/${traceId}`, { signal: AbortSignal.timeout(askTimeoutMs) });
  return answer.ok ? ((await answer.json()) as ZipkinSpan[]) : [];
}

/** Waits until Zipkin's API answers a trace with this tree, look-ups in a store aside, and this many spans at least; answers its spans. */
export async function waitForTrace(url: string, traceId: string, tree: readonly string[], atLeast = tree.length) {
  let trace: ZipkinSpan[] = [];
  const check = async (): Promise<void> => {
    trace = await traceOf(url, traceId);
    const there = zipkinTree(trace).filter((line) => !line.startsWith(lookUp));
    const missing = tree.filter((line) => !there.includes(line));
    const more = there.filter((line) => !tree.includes(line));
    if (missing.length > 0 || more.length > 0 || trace.length < atLeast)
      throw new Error(`missing: ${missing.join("; ")}; too many: ${more.join("; ")}; ${trace.length} spans`);
  };
  await vi.waitFor(check, { timeout: foundWithinMs, interval: 100 });
  return trace;
}

/** Ids of the traces that begin with such a span. */
export async function tracesWith(url: string, spanName: string): Promise<string[]> {
  const query = new URLSearchParams({ spanName, limit: "50", lookback: "600000" });
  const answer = await fetch(`${url}/api/v2/traces?${query}`, { signal: AbortSignal.timeout(askTimeoutMs) });
  const traces = (await answer.json()) as ZipkinSpan[][];
  return traces.map((trace) => trace[0]!.traceId);
}
