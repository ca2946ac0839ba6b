import { describe, expect, test } from "vitest";
import { TimerWheel, WheelTimer } from "./timer-wheel.ts";

class Probe extends WheelTimer {
  readonly #action: (nowMs: number) => void;
  constructor(action: (nowMs: number) => void) {
    super();
    this.#action = action;
  }
  override onTimer(nowMs: number): void {
    this.#action(nowMs);
  }
}

function manualWheel(slots = 8) {
  let clockMs = 1_000;
  const wheel = new TimerWheel({ tickMs: 10, slots, now: () => clockMs, automatic: false });
  return {
    wheel,
    passMs(ms: number) {
      clockMs += ms;
      wheel.advance();
    },
  };
}

describe("TimerWheel", () => {
  test("fires once, never early, within one tick", () => {
    const { wheel, passMs } = manualWheel();
    const fired: number[] = [];
    wheel.schedule(new Probe((now) => fired.push(now)), 25);
    passMs(24);
    expect(fired).toEqual([]);
    passMs(6);
    expect(fired).toEqual([1_030]);
    passMs(500);
    expect(fired).toHaveLength(1);
    expect(wheel.size).toBe(0);
  });

  test("a delay of several turns of the wheel waits its turns", () => {
    const { wheel, passMs } = manualWheel(4);
    let fired = 0;
    wheel.schedule(new Probe(() => fired++), 200);
    for (let i = 0; i < 19; i++) passMs(10);
    expect(fired).toBe(0);
    passMs(10);
    expect(fired).toBe(1);
  });

  test("a jump of the clock fires everything due, and only that", () => {
    const { wheel, passMs } = manualWheel(8);
    const fired: string[] = [];
    wheel.schedule(new Probe(() => fired.push("soon")), 15);
    wheel.schedule(new Probe(() => fired.push("later")), 300);
    wheel.schedule(new Probe(() => fired.push("last")), 2_000);
    passMs(1_000);
    expect(fired.sort()).toEqual(["later", "soon"]);
    expect(wheel.size).toBe(1);
  });

  test("cancel takes any timer of a slot off, schedule moves one", () => {
    const { wheel, passMs } = manualWheel();
    const fired: string[] = [];
    const probes = ["a", "b", "c"].map((name) => new Probe(() => fired.push(name)));
    for (const probe of probes) wheel.schedule(probe, 20);
    wheel.cancel(probes[1]!);
    wheel.cancel(probes[1]!);
    wheel.schedule(probes[2]!, 50);
    passMs(20);
    expect(fired).toEqual(["a"]);
    passMs(30);
    expect(fired).toEqual(["a", "c"]);
  });

  test("a callback may schedule itself and cancel a neighbour that is due too", () => {
    const { wheel, passMs } = manualWheel();
    const fired: string[] = [];
    const first: Probe = new Probe(() => {
      fired.push("first");
      wheel.cancel(second);
      wheel.schedule(first, 10);
    });
    const second: Probe = new Probe(() => {
      fired.push("second");
      wheel.cancel(first);
      wheel.schedule(second, 10);
    });
    wheel.schedule(first, 10);
    wheel.schedule(second, 10);
    passMs(10);
    expect(fired).toHaveLength(1);
    passMs(10);
    expect(fired).toEqual([fired[0], fired[0]]);
  });

  test("sleeping while empty does not fire the next timer early", () => {
    const { wheel, passMs } = manualWheel();
    passMs(12_345);
    let fired = 0;
    wheel.schedule(new Probe(() => fired++), 30);
    passMs(29);
    expect(fired).toBe(0);
    passMs(10);
    expect(fired).toBe(1);
  });

  test("turns by itself on the runtime's clock", async () => {
    const wheel = new TimerWheel({ tickMs: 5 });
    await new Promise<void>((resolve) => {
      const probe = new Probe(() => resolve());
      wheel.schedule(probe, 10);
      // The wheel's own timer does not hold the process; the test must.
      const hold = setTimeout(() => undefined, 5_000);
      hold.unref();
    });
    wheel.close();
  });

  test("close drops all timers for good", () => {
    const { wheel, passMs } = manualWheel();
    let fired = 0;
    wheel.schedule(new Probe(() => fired++), 10);
    wheel.close();
    wheel.schedule(new Probe(() => fired++), 10);
    expect(wheel.size).toBe(0);
    passMs(100);
    expect(fired).toBe(0);
  });
});
