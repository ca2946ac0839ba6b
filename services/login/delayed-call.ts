import { WheelTimer } from "@chappe/mesh/timers/timer-wheel.ts";

/** A call that a wheel makes later. */
export class DelayedCall extends WheelTimer {
  readonly #call: () => void;

  constructor(call: () => void) {
    super();
    this.#call = call;
  }

  override onTimer(): void {
    this.#call();
  }
}
