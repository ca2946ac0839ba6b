import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { limits } from "../limits.ts";
import { type EngineCall, engineCallShape } from "./engine-calls.ts";
import type { HopRing } from "./hop-ring.ts";
import type { CallMessage, HopRun } from "./hops.ts";
import { LatencyCounts } from "./latency-counts.ts";
import type { Marks } from "./marks.ts";
import * as peek from "./peek.ts";

/** What createCallRecorder needs. */
interface CallRecorderOptions {
  readonly ring: HopRing;
  /** Undefined when nothing is traced. */
  readonly marks: Marks | undefined;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Writes calls of engines to the ring, as Hops says. */
export class CallRecorder {
  readonly #ring: HopRing;
  readonly #marks: Marks | undefined;
  /** How long calls took, by name. */
  readonly times: Record<string, LatencyCounts> = {};
  readonly #now: () => number;

  constructor({ ring, marks, now }: CallRecorderOptions) {
    this.#ring = ring;
    this.#marks = marks;
    this.#now = now;
  }

  ofRuns(call: EngineCall, runs: Iterable<HopRun>, startMs: number, error: number): void {
    const endMs = this.#now();
    this.timed(engineCallShape(call)!.name, endMs - startMs);
    if (this.#marks === undefined) return;
    const isSlow = endMs - startMs >= limits.slowCallMs;
    for (const run of runs) {
      const { conversationId, firstSeq = 0 } = run;
      if (conversationId === undefined || firstSeq === 0) continue;
      const lastSeq = run.lastSeq ?? firstSeq + (run.count ?? 1) - 1;
      if (!isSlow && !this.#isTraced(run, conversationId, firstSeq, lastSeq)) continue;
      const at = this.#add(call, this.#ring.add(Hop.ENGINE_CALL, startMs, endMs), error);
      this.#ring.conversation[at] = peek.conversationHashAt(conversationId, 0);
      this.#ring.firstSeq[at] = firstSeq;
      this.#ring.lastSeq[at] = lastSeq;
    }
  }

  ofMessages(call: EngineCall, messages: readonly CallMessage[], startMs: number, error: number): void {
    const endMs = this.#now();
    this.timed(engineCallShape(call)!.name, endMs - startMs);
    if (this.#marks === undefined) return;
    const isSlow = endMs - startMs >= limits.slowCallMs;
    for (const { clientMessageId, traceContext } of messages) {
      if (clientMessageId.length === 0 || (!isSlow && traceContext?.length === 0)) continue;
      const at = this.#ring.addMessage(Hop.ENGINE_CALL, startMs, endMs, clientMessageId, 0);
      this.#ring.conversation[this.#add(call, at, error)] = 0;
    }
  }

  /** A call of this name took so long. */
  timed(name: string, ms: number): void {
    this.times[name] ??= new LatencyCounts();
    this.times[name].record(ms);
  }

  #add(call: EngineCall, at: number, error: number): number {
    this.#ring.peer[at] = call;
    this.#ring.error[at] = error;
    return at;
  }

  /** Whether some message of the run is known to be traced. */
  #isTraced({ traced }: HopRun, conversationId: Uint8Array, firstSeq: number, lastSeq: number): boolean {
    if (traced !== undefined) return traced.length > 0;
    const marks = this.#marks!;
    return marks.size > 0 && marks.holds(peek.conversationHashAt(conversationId, 0), firstSeq, lastSeq);
  }
}
