import { createSqliteHistory } from "@chappe/mesh/engines/sqlite-history/create-sqlite-history.ts";
import { tempDirectory } from "./log-kit.ts";
import { describeMessageHistory } from "./message-history-conformance.ts";

describeMessageHistory("sqlite", async () => {
  const directory = await tempDirectory();
  return {
    open: () => createSqliteHistory({ directory: directory.path }),
    destroy: () => directory.remove(),
  };
});
