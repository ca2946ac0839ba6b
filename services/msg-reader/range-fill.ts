import { cutRuns } from "@chappe/mesh/engines/cut-runs.ts";
import type { RangeBounds } from "@chappe/mesh/ports/hot-window.ts";
import type { MessageRun } from "@chappe/mesh/ports/message-store.ts";

const lastSeq = ({ firstSeq, count }: MessageRun): number => firstSeq + count - 1;

/** Consecutive seqs; empty when the first is behind the last. */
export interface SeqSpan {
  readonly fromSeq: number;
  readonly toSeq: number;
}

/**
 * A range that is filled from one edge, its first seq or with `fromEnd` its last, without a gap, until the bounds are met.
 */
export class RangeFill {
  readonly #bounds: RangeBounds;
  readonly #whole: SeqSpan;
  #fromSeq: number;
  #toSeq: number;
  /** In the order in which they were taken. */
  readonly #runs: MessageRun[] = [];
  #messages = 0;
  #bytes = 0;

  constructor(whole: SeqSpan, bounds: RangeBounds) {
    this.#whole = whole;
    this.#fromSeq = whole.fromSeq;
    this.#toSeq = whole.toSeq;
    this.#bounds = bounds;
  }

  get done(): boolean {
    const { maxMessages, maxBytes } = this.#bounds;
    if (this.#fromSeq > this.#toSeq) return true;
    return this.#messages > 0 && (this.#messages >= maxMessages || this.#bytes >= maxBytes);
  }

  /** Taken so far. */
  get messages(): number {
    return this.#messages;
  }

  /** The seq that must come next. */
  get edge(): number {
    return this.#bounds.fromEnd ? this.#toSeq : this.#fromSeq;
  }

  /** What is left of the bounds. */
  get bounds(): RangeBounds {
    const { maxMessages, maxBytes } = this.#bounds;
    return {
      ...this.#bounds,
      maxMessages: Math.max(1, maxMessages - this.#messages),
      maxBytes: Math.max(1, maxBytes - this.#bytes),
    };
  }

  /** What is to be asked for: from the edge up to `limitSeq`, and no more than the bounds allow, since there are no gaps. */
  wanted(limitSeq: number): SeqSpan {
    const { maxMessages, fromEnd } = this.bounds;
    if (fromEnd) return { fromSeq: Math.max(limitSeq, this.#toSeq - maxMessages + 1), toSeq: this.#toSeq };
    return { fromSeq: this.#fromSeq, toSeq: Math.min(limitSeq, this.#fromSeq + maxMessages - 1) };
  }

  /** Whether everything from the edge to this seq is taken. */
  reached(limitSeq: number): boolean {
    return this.#bounds.fromEnd ? this.#toSeq < limitSeq : this.#fromSeq > limitSeq;
  }

  /** Takes what follows the edge without a gap; answers whether there was any. */
  take(runs: readonly MessageRun[]): boolean {
    const before = this.#messages;
    for (const run of this.#bounds.fromEnd ? runs.toReversed() : runs) {
      if (this.done) break;
      const span = { fromSeq: this.#fromSeq, toSeq: this.#toSeq };
      const [rest] = cutRuns([run], { ...span, maxMessages: run.count, maxBytes: run.bytes.length });
      if (rest === undefined) continue;
      if ((this.#bounds.fromEnd ? lastSeq(rest) : rest.firstSeq) !== this.edge) break;
      this.#runs.push(rest);
      this.#messages += rest.count;
      this.#bytes += rest.bytes.length;
      if (this.#bounds.fromEnd) this.#toSeq = rest.firstSeq - 1;
      else this.#fromSeq = lastSeq(rest) + 1;
    }
    return this.#messages > before;
  }

  /** The last seq before the nearest of these runs beyond the edge, seen from the edge; undefined when there is none. */
  gapBefore(runs: readonly MessageRun[]): number | undefined {
    if (this.#bounds.fromEnd) {
      const ends = runs.map(lastSeq).filter((seq) => seq < this.#toSeq);
      return ends.length === 0 ? undefined : Math.max(...ends) + 1;
    }
    const starts = runs.map(({ firstSeq }) => firstSeq).filter((seq) => seq > this.#fromSeq);
    return starts.length === 0 ? undefined : Math.min(...starts) - 1;
  }

  /** What was taken, in order of seq, cut to the bounds. */
  finish(): readonly MessageRun[] {
    const runs = this.#bounds.fromEnd ? this.#runs.toReversed() : this.#runs;
    return cutRuns(runs, { ...this.#bounds, ...this.#whole });
  }
}
