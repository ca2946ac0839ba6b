import { type KafkaCluster, startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import { afterAll, beforeAll, describe, vi } from "vitest";
import { tempDirectory } from "./log-kit.ts";
import { describePoison } from "./poison-suite.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });
const partitions = 4;

describePoison("embedded", async () => {
  const directory = await tempDirectory();
  const log = await createEmbeddedLog({ directory: directory.path, partitions, minFreeBytes: 0 });
  return { log, destroy: () => directory.remove() };
});

describe("on a broker", () => {
  let kafka: KafkaCluster;
  let logs = 0;
  beforeAll(async () => {
    kafka = await startKafka();
  });
  afterAll(() => kafka?.close());

  describePoison("kafka", async () => {
    const log = await createKafkaLog({ brokers: kafka.addresses, partitions, prefix: `poison-${++logs}` });
    return { log, destroy: async () => undefined };
  });
});
