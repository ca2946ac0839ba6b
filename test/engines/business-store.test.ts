import { createMemoryBusinessStore } from "@chappe/mesh/engines/memory-stores/create-memory-business-store.ts";
import { createSqliteBusinessStore } from "@chappe/mesh/engines/sqlite-business-store/create-sqlite-business-store.ts";
import { describeBusinessStore } from "./business-store-conformance.ts";
import { tempDirectory } from "./log-kit.ts";

describeBusinessStore("memory", async () => ({
  open: async () => createMemoryBusinessStore(),
  keeps: false,
  destroy: async () => {},
}));

describeBusinessStore("sqlite", async () => {
  const directory = await tempDirectory();
  return {
    open: () => createSqliteBusinessStore({ directory: directory.path }),
    keeps: true,
    destroy: () => directory.remove(),
  };
});
