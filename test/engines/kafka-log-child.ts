/** Subscribes to the messages of a log on Kafka and says what it owns: `node kafka-log-child.ts address prefix`. */
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";

const [address = "", prefix = ""] = process.argv.slice(2);
const log = await createKafkaLog({ brokers: [address], partitions: 4, prefix });
await log.subscribe("messages", "takeover", {
  assigned: async (partitions) => {
    process.stdout.write(`owns ${partitions.length}\n`);
    return new Map();
  },
  records: async () => undefined,
  revoked: async () => undefined,
});
