/** Subscribes to the messages of a log on Kafka and says what it owns: `node kafka-log-child.ts address prefix client`. */

import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import type { KafkaClientName } from "@chappe/mesh/engines/kafka-log/kafka-log-options.ts";

const [address = "", prefix = "", client = "kafkajs"] = process.argv.slice(2);
const log = await createKafkaLog({ brokers: [address], partitions: 4, prefix, client: client as KafkaClientName });
await log.subscribe("messages", "takeover", {
  assigned: async (partitions) => {
    process.stdout.write(`owns ${partitions.length}\n`);
    return new Map();
  },
  records: async () => undefined,
  revoked: async () => undefined,
});
