import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { conformancePartitions, describeLog } from "./log-conformance.ts";
import { tempDirectory } from "./log-kit.ts";
import { PowerLossFiles } from "./log-power-loss-files.ts";

const sizes = {
  embedded: {},
  // Everything small: many segments, groups, index entries, and readers that are always behind the memory.
  "embedded, read from files": { segmentBytes: 600, tailBytes: 1, indexIntervalBytes: 100, maxGroupBytes: 400 },
};

for (const [name, options] of Object.entries(sizes)) {
  describeLog(name, async () => {
    const directory = await tempDirectory();
    const files = new PowerLossFiles();
    const common = { partitions: conformancePartitions, minFreeBytes: 0, maxBatchRecords: 16, files };
    return {
      open: () => createEmbeddedLog({ directory: directory.path, ...common, ...options }),
      holdDurability() {
        const gate = Promise.withResolvers<void>();
        files.beforeSync = () => gate.promise;
        return gate.resolve;
      },
      destroy: () => directory.remove(),
    };
  });
}
