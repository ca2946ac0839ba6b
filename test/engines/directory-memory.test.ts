import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { describeDirectory } from "./directory-conformance.ts";

describeDirectory("memory", async () => {
  const directory = createMemoryDirectory();
  return { directory, async settled() {}, close: () => directory.close() };
});
