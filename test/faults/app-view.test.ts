import { expect, it } from "vitest";
import type { SeenMessage } from "../history/history-event.ts";
import { AppView, type FetchedRange } from "./app-view.ts";

const message = (seq: number): SeenMessage => ({ seq, id: String(seq), sender: "a", body: 1, system: false });

function setUp(stored: () => FetchedRange | undefined) {
  const shown: number[] = [];
  const done = Promise.withResolvers<void>();
  const view = new AppView({
    firstSeq: 1,
    show: ({ seq }) => {
      shown.push(seq);
      if (seq === 4) done.resolve();
    },
    fetch: (fromSeq) => {
      const range = stored();
      return Promise.resolve(range && { ...range, messages: range.messages.filter(({ seq }) => seq >= fromSeq) });
    },
  });
  return { view, shown, done: done.promise };
}

it("shows in order, once, and holds what comes early", () => {
  const { view, shown } = setUp(() => undefined);
  for (const seq of [1, 1, 3, 3, 2, 1, 2]) view.offer(message(seq));
  expect(shown).toEqual([1, 2, 3]);
  expect(view.caughtUp).toBe(true);
  view.close();
});

it("fetches what a hint or a gap says is missing, again after a failure", async () => {
  let calls = 0;
  const messages = [1, 2, 3, 4].map(message);
  const { view, shown, done } = setUp(() => (calls++ === 0 ? undefined : { headSeq: 4, messages }));
  view.offer(message(3));
  expect([shown.length, view.caughtUp]).toEqual([0, false]);
  view.hint(4);
  await done;
  expect(shown).toEqual([1, 2, 3, 4]);
  view.close();
});

it("gives up what the user may not read", async () => {
  const asked = Promise.withResolvers<void>();
  const { view, shown } = setUp(() => {
    asked.resolve();
    return { headSeq: 0, messages: [] };
  });
  view.offer(message(3));
  await asked.promise;
  await new Promise((resolve) => setImmediate(resolve));
  expect([shown.length, view.caughtUp]).toEqual([0, true]);
  view.close();
});
