import { createMemoryMessageStore } from "@chappe/mesh/engines/memory-stores/create-memory-message-store.ts";
import { describeArchiveSource } from "./archive-source-conformance.ts";

describeArchiveSource("memory", async () => {
  const store = createMemoryMessageStore();
  return { store, source: store.archive, days: [100, 103, 200], destroy: async () => {} };
});
