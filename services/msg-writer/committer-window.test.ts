import { createMemoryHotWindow } from "@chappe/mesh/engines/memory-hot-window/memory-hot-window.ts";
import { createMemoryMessageStore } from "@chappe/mesh/engines/memory-stores/create-memory-message-store.ts";
import { createWindowGuard } from "@chappe/mesh/hot-window/window-guard.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { HotWindow } from "@chappe/mesh/ports/hot-window.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { StoreCommit } from "@chappe/mesh/ports/message-store.ts";
import { expect, test } from "vitest";
import { createCommitter } from "./committer.ts";

const steps = limits.maxWindowAppends * 3;
const conversationId = new Uint8Array(16).fill(7);

test("commits do not wait for a window that never answers, and it is offered no more than is bounded", async () => {
  const store = createMemoryMessageStore();
  const { epoch } = (await store.claim([0])).get(0)!;
  let asked = 0;
  const silent: HotWindow = {
    ...createMemoryHotWindow(),
    append: () => {
      asked++;
      return new Promise(() => {});
    },
  };
  const window = createWindowGuard(silent);
  const commits: StoreCommit[] = [];
  const log = { append: async () => ({ offset: 0, timeMs: 0 }) } as unknown as Log;
  const more = { commitIntervalMs: 0, maxMessagesInFlight: 1_000, onRetry: () => {} };
  const committer = createCommitter({ log, store, window, onCommitted: (commit) => commits.push(commit), ...more });
  for (let i = 0; i < steps; i++) {
    const runs = [{ conversationId, firstSeq: i + 1, count: 1, bytes: new Uint8Array(10) }];
    const progress = [{ partition: 0, epoch, fromOffset: i, nextOffset: i + 1 }];
    committer.submit({
      commit: { progress, runs, sends: [], members: [] },
      pushes: new Map(),
      deadLetters: [],
      messages: 1,
    });
  }
  await committer.settled(false);
  expect(commits.at(-1)?.progress).toMatchObject([{ nextOffset: steps }]);
  expect(await store.heads([conversationId])).toEqual([steps]);
  expect(asked).toBe(limits.maxWindowAppends);
  expect(window.stats().droppedRuns).toBe(steps - limits.maxWindowAppends);
});
