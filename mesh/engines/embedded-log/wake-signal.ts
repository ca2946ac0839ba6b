/** Wakes one waiter; a wake while nobody waits is remembered. */
export class WakeSignal {
  #woken = false;
  #resume: (() => void) | undefined;

  /** Ends the wait in hand, or the next one. */
  wake(): void {
    if (this.#resume === undefined) {
      this.#woken = true;
      return;
    }
    this.#resume();
    this.#resume = undefined;
  }

  /** Settles at the next wake, at once if there was one since the last wait. */
  wait(): Promise<void> {
    if (this.#woken) {
      this.#woken = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }
}
