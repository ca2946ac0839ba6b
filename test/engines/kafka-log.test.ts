import { type KafkaCluster, startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import { kafkaClientNames } from "@chappe/mesh/engines/kafka-log/kafka-log-options.ts";
import { afterAll, beforeAll, vi } from "vitest";
import { conformancePartitions, describeLog } from "./log-conformance.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let kafka: KafkaCluster;
let logs = 0;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka?.close());

for (const client of kafkaClientNames) {
  describeLog(`kafka by ${client}`, async () => {
    const prefix = `conformance-${++logs}`;
    return {
      open: () => createKafkaLog({ brokers: kafka.addresses, partitions: conformancePartitions, prefix, client }),
      mayGiveAway: true,
      destroy: async () => undefined,
    };
  });
}
