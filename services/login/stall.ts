import { WheelTimer } from "@chappe/mesh/timers/timer-wheel.ts";
import type { SessionOutput } from "./session-output.ts";

/**
 * Exists while a client does not read as fast as it is written to. Ends the session when what was waiting at one look
 * is still waiting at the next, limits.slowClientMaxAgeMs later.
 */
export class Stall extends WheelTimer {
  readonly #output: SessionOutput;
  #givenBytes: number;

  constructor(output: SessionOutput) {
    super();
    this.#output = output;
    this.#givenBytes = output.transport.givenBytes;
    const { wheel, limits } = output.context;
    wheel.schedule(this, limits.slowClientMaxAgeMs);
    output.transport.onceDrained(() => {
      wheel.cancel(this);
      output.onDrained();
    });
  }

  override onTimer(): void {
    const { transport, context } = this.#output;
    const takenBytes = transport.givenBytes - transport.waitingBytes;
    if (takenBytes < this.#givenBytes) {
      this.#output.onTooSlow();
      return;
    }
    this.#givenBytes = transport.givenBytes;
    context.wheel.schedule(this, context.limits.slowClientMaxAgeMs);
  }
}
