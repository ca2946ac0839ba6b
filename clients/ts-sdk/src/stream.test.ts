import { expect, test } from "vitest";
import { Stream } from "./stream.ts";

test("a value is done when the next one is asked for, or at the end", async () => {
  const done: number[] = [];
  const stream = new Stream<number>({ onDone: (value) => done.push(value) });
  for (const value of [1, 2, 3]) stream.push(value);
  await stream.next();
  expect(done).toEqual([]);
  await stream.next();
  expect(done).toEqual([1]);
  await stream.return();
  expect(done).toEqual([1, 2]);
});

test("the end gives back what was not taken, and wakes who waits", async () => {
  const rests: (readonly number[])[] = [];
  const stream = new Stream<number>({ onEnd: (rest) => rests.push(rest) });
  stream.push(1);
  stream.push(2);
  await stream.next();
  stream.end();
  stream.push(3);
  expect(rests).toEqual([[2]]);
  expect(await stream.next()).toEqual({ done: true, value: undefined });
  const waiting = new Stream<number>();
  const next = waiting.next();
  waiting.end();
  expect(await next).toEqual({ done: true, value: undefined });
});

test("a signal ends it; finish lets the rest be taken", async () => {
  const controller = new AbortController();
  const stream = new Stream<number>({}, controller.signal);
  controller.abort();
  expect(stream.ended).toBe(true);
  const never = new Stream({ onEnd: () => expect.unreachable("it was never open") }, controller.signal);
  expect(await never.next()).toEqual({ done: true, value: undefined });
  const finishing = new Stream<number>();
  finishing.push(1);
  finishing.finish();
  finishing.push(2);
  expect(await finishing.next()).toEqual({ done: false, value: 1 });
  expect(await finishing.next()).toEqual({ done: true, value: undefined });
});
