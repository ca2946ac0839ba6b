import { conversationOf, runOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { createMemoryHotWindow } from "@chappe/mesh/engines/memory-hot-window/memory-hot-window.ts";
import { defaultWindowBounds } from "@chappe/mesh/engines/window-blocks.ts";
import type { HotWindow } from "@chappe/mesh/ports/hot-window.ts";
import { expect, test } from "vitest";
import { describeHotWindow } from "./hot-window-conformance.ts";

describeHotWindow("memory", async () => {
  let clockMs = 1_000_000;
  let shared: HotWindow | undefined;
  const now = (): number => clockMs;
  // Its ends are one object; `forget` empties it behind their backs.
  const endOf = (window: () => HotWindow): HotWindow => ({
    append: (runs) => window().append(runs),
    readRange: (...args) => window().readRange(...args),
    close: () => window().close(),
  });
  return {
    async open(bounds) {
      if (bounds !== undefined) return createMemoryHotWindow({ bounds: { ...defaultWindowBounds, ...bounds }, now });
      shared ??= createMemoryHotWindow({ now });
      return endOf(() => shared!);
    },
    async passMs(ms) {
      clockMs += ms;
    },
    async forget() {
      shared = createMemoryHotWindow({ now });
    },
    async close() {
      await shared?.close();
    },
  };
});

const all = { maxMessages: 1_000, maxBytes: 1_000_000 };

test("memory: over its bytes the conversation goes that was added to longest ago", async () => {
  const window = createMemoryHotWindow({ maxTotalBytes: 10_000 });
  for (const n of upTo(1, 40)) await window.append([runOf(n, 1, 5, 100)]);
  await window.append([runOf(30, 6, 1, 100)]);
  for (const n of upTo(41, 46)) await window.append([runOf(n, 1, 5, 100)]);
  const held = async (n: number): Promise<number[]> => seqsOf(await window.readRange(conversationOf(n), 1, 9, all));
  expect(await held(1)).toEqual([]);
  expect(await held(46)).toEqual(upTo(1, 5));
  expect(await held(30)).toEqual(upTo(1, 6));
  expect(await held(31)).toEqual([]);
});

test("memory: a closed window is UNAVAILABLE", async () => {
  const window = createMemoryHotWindow();
  await window.close();
  await expect(window.append([runOf(1, 1, 1)])).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
  await expect(window.readRange(conversationOf(1), 1, 1, all)).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
});
