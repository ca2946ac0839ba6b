/** A timer that a wheel can hold: extend it and the timer costs no allocation of its own. On one wheel at a time. */
export abstract class WheelTimer {
  /** Owned by the wheel. */
  wheelPrevious: WheelTimer | undefined = undefined;
  /** Owned by the wheel. */
  wheelNext: WheelTimer | undefined = undefined;
  /** Owned by the wheel: the slot, -1 = not scheduled. */
  wheelSlot = -1;
  /** Owned by the wheel: when it is due, in ticks. */
  wheelTick = 0;

  /** Runs once when the time has come; it may schedule itself again. Must not throw. */
  abstract onTimer(nowMs: number): void;
}

/** What a wheel may be told. */
export interface TimerWheelOptions {
  /** Resolution: a timer fires at most so much late, never early. @default 50 */
  readonly tickMs?: number;
  /** Slots; a delay beyond tickMs * slots costs one look per turn of the wheel. @default 2048 */
  readonly slots?: number;
  /** Monotonic clock in milliseconds. @default performance.now */
  readonly now?: () => number;
  /** False when the owner turns the wheel by `advance` alone. @default true */
  readonly automatic?: boolean;
}

/** Any number of timers on one timer of the runtime; schedule and cancel take constant time. */
export class TimerWheel {
  readonly now: () => number;
  readonly #tickMs: number;
  readonly #automatic: boolean;
  readonly #slots: (WheelTimer | undefined)[];
  readonly #onTick = (): void => this.#tick();
  #size = 0;
  #tickDone: number;
  #handle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: TimerWheelOptions = {}) {
    this.now = options.now ?? (() => performance.now());
    this.#tickMs = options.tickMs ?? 50;
    this.#automatic = options.automatic ?? true;
    this.#slots = new Array<WheelTimer | undefined>(options.slots ?? 2048).fill(undefined);
    this.#tickDone = this.#currentTick();
  }

  /** Timers waiting. */
  get size(): number {
    return this.#size;
  }

  /** Sets the timer to fire once, `delayMs` from now; one already waiting is moved. Nothing happens once closed. */
  schedule(timer: WheelTimer, delayMs: number): void {
    if (timer.wheelSlot >= 0) this.cancel(timer);
    if (this.#closed) return;
    // An empty wheel has nothing due in the ticks it slept through.
    if (this.#size === 0) this.#tickDone = this.#currentTick();
    const due = Math.ceil((this.now() + delayMs) / this.#tickMs);
    this.#link(timer, Math.max(due, this.#tickDone + 1));
    if (this.#automatic && this.#handle === undefined) this.#arm();
  }

  /** Takes the timer off; nothing happens when it is not on. */
  cancel(timer: WheelTimer): void {
    const slot = timer.wheelSlot;
    if (slot < 0) return;
    if (timer.wheelPrevious === undefined) this.#slots[slot] = timer.wheelNext;
    else timer.wheelPrevious.wheelNext = timer.wheelNext;
    if (timer.wheelNext !== undefined) timer.wheelNext.wheelPrevious = timer.wheelPrevious;
    timer.wheelPrevious = undefined;
    timer.wheelNext = undefined;
    timer.wheelSlot = -1;
    this.#size--;
  }

  /** Fires what is due by the clock. */
  advance(): void {
    const target = this.#currentTick();
    const from = this.#tickDone + 1;
    this.#tickDone = Math.max(this.#tickDone, target);
    // After a long sleep each slot needs one look only.
    const looks = Math.min(target - from + 1, this.#slots.length);
    for (let i = 0; i < looks && this.#size > 0; i++) this.#fire((from + i) % this.#slots.length, target);
  }

  /** Drops all timers; none fires any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#handle);
    this.#handle = undefined;
    for (let slot = 0; slot < this.#slots.length; slot++)
      for (let timer = this.#slots[slot]; timer !== undefined; timer = this.#slots[slot]) this.cancel(timer);
  }

  #currentTick(): number {
    return Math.floor(this.now() / this.#tickMs);
  }

  #link(timer: WheelTimer, tick: number): void {
    const slot = tick % this.#slots.length;
    const head = this.#slots[slot];
    timer.wheelTick = tick;
    timer.wheelSlot = slot;
    timer.wheelNext = head;
    if (head !== undefined) head.wheelPrevious = timer;
    this.#slots[slot] = timer;
    this.#size++;
  }

  #fire(slot: number, target: number): void {
    // Due timers are moved to a list first: a callback may schedule into this slot or cancel its neighbours.
    const due: WheelTimer[] = [];
    for (let timer = this.#slots[slot]; timer !== undefined; timer = timer.wheelNext)
      if (timer.wheelTick <= target) due.push(timer);
    for (const timer of due) {
      if (timer.wheelSlot !== slot || timer.wheelTick > target) continue;
      this.cancel(timer);
      timer.onTimer(this.now());
    }
  }

  #arm(): void {
    this.#handle = setTimeout(this.#onTick, this.#tickMs);
    this.#handle.unref();
  }

  #tick(): void {
    this.#handle = undefined;
    this.advance();
    if (this.#size > 0 && !this.#closed && this.#handle === undefined) this.#arm();
  }
}
