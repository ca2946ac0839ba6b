import type { HopSpan } from "./hop-spans.ts";

/** Takes spans out of the process. */
export interface SpanSink {
  /** Never waits; what does not fit is dropped. */
  emit(span: HopSpan): void;
  /** Sends what waits, within a bound of its own. */
  close(): Promise<void>;
}
