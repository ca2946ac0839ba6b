import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { limits } from "../limits.ts";
import type { EngineCall } from "./engine-calls.ts";
import type { HopRing } from "./hop-ring.ts";
import type { CallMessage, HopRun } from "./hops.ts";
import type { Marks } from "./marks.ts";
import * as peek from "./peek.ts";

/** What createCallRecorder needs. */
interface CallRecorderOptions {
  readonly ring: HopRing;
  readonly marks: Marks;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Writes calls of engines to the ring, as Hops says. */
export class CallRecorder {
  readonly #ring: HopRing;
  readonly #marks: Marks;
  readonly #now: () => number;

  constructor({ ring, marks, now }: CallRecorderOptions) {
    this.#ring = ring;
    this.#marks = marks;
    this.#now = now;
  }

  ofRuns(call: EngineCall, runs: readonly HopRun[], startMs: number, error: number): void {
    const endMs = this.#now();
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
    const isSlow = endMs - startMs >= limits.slowCallMs;
    for (const { clientMessageId, traceContext } of messages) {
      if (clientMessageId.length === 0 || (!isSlow && traceContext?.length === 0)) continue;
      const at = this.#ring.addMessage(Hop.ENGINE_CALL, startMs, endMs, clientMessageId, 0);
      this.#ring.conversation[this.#add(call, at, error)] = 0;
    }
  }

  #add(call: EngineCall, at: number, error: number): number {
    this.#ring.peer[at] = call;
    this.#ring.error[at] = error;
    return at;
  }

  /** Whether some message of the run is known to be traced. */
  #isTraced({ traced }: HopRun, conversationId: Uint8Array, firstSeq: number, lastSeq: number): boolean {
    if (traced !== undefined) return traced.length > 0;
    return this.#marks.size > 0 && this.#marks.holds(peek.conversationHashAt(conversationId, 0), firstSeq, lastSeq);
  }
}
