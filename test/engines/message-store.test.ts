import { setTimeout as sleep } from "node:timers/promises";
import { createMemoryMessageStore } from "@chappe/mesh/engines/memory-stores/create-memory-message-store.ts";
import { createSqliteMessageStore } from "@chappe/mesh/engines/sqlite-message-store/create-sqlite-message-store.ts";
import { tempDirectory } from "./log-kit.ts";
import { describeMessageStore } from "./message-store-conformance.ts";

describeMessageStore("memory", async () => ({
  open: async () => createMemoryMessageStore(),
  keeps: false,
  destroy: async () => {},
}));

const settings = {
  "sqlite, in its memory": { flushIntervalMs: 60_000 },
  "sqlite, flushed all the time": { flushIntervalMs: 1, flushBytes: 1 },
};

for (const [name, options] of Object.entries(settings)) {
  describeMessageStore(name, async () => {
    const directory = await tempDirectory();
    return {
      open: () => createSqliteMessageStore({ directory: directory.path, ...options }),
      // A claim of a partition that nobody uses flushes.
      settle: async (store) => {
        await store.claim([4_000]);
        await sleep(0);
      },
      keeps: true,
      destroy: () => directory.remove(),
    };
  });
}
