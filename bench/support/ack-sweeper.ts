/** Acks are due so long after the one before; see ackIntervalMs of the SDK. */
const ackIntervalMs = 100;
/** How often late acks are looked for: an ack is never later than interval + sweep. */
const sweepMs = 20;

/** A connection that owes the server an acknowledgement. */
export interface AckOwner {
  sendAck(): void;
}

/** Leading edge at once, then at most one ack per connection and 100 ms. One timer for all connections. */
export class AckSweeper {
  readonly #lastMs = new Map<AckOwner, number>();
  readonly #owing = new Set<AckOwner>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#sweep(), sweepMs);
  }

  /** The owner has something new to acknowledge. */
  owe(owner: AckOwner, nowMs: number): void {
    if (this.#owing.has(owner)) return;
    const last = this.#lastMs.get(owner);
    if (last === undefined || nowMs - last >= ackIntervalMs) this.#send(owner, nowMs);
    else this.#owing.add(owner);
  }

  /** Forgets a connection that is gone. */
  forget(owner: AckOwner): void {
    this.#owing.delete(owner);
    this.#lastMs.delete(owner);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #send(owner: AckOwner, nowMs: number): void {
    this.#lastMs.set(owner, nowMs);
    owner.sendAck();
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const owner of this.#owing) {
      if (nowMs - this.#lastMs.get(owner)! < ackIntervalMs - sweepMs / 2) continue;
      this.#owing.delete(owner);
      this.#send(owner, nowMs);
    }
  }
}
