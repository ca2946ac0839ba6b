import { freePort } from "@chappe/mesh/dev-engines/free-port.ts";
import { type KafkaCluster, startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import { type KafkaSasl, kafkaClientNames } from "@chappe/mesh/engines/kafka-log/kafka-log-options.ts";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { appendTexts, numbered, readAll } from "./log-kit.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const partitions = 2;
const good: KafkaSasl = { mechanism: "PLAIN", username: "chappe", password: "a secret" };
let kafka: KafkaCluster;
let brokers: readonly string[];

beforeAll(async () => {
  const port = await freePort([1, 2]);
  const plain = `PLAINTEXT://127.0.0.1:${port}`;
  const guarded = `GUARDED://127.0.0.1:${port + 2}`;
  brokers = [`127.0.0.1:${port + 2}`];
  kafka = await startKafka({
    firstPort: port,
    settings: {
      listeners: `${plain},CONTROLLER://127.0.0.1:${port + 1},${guarded}`,
      "advertised.listeners": `${plain},${guarded}`,
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT",
      "inter.broker.listener.name": "PLAINTEXT",
      "sasl.enabled.mechanisms": "PLAIN",
      "listener.name.guarded.plain.sasl.jaas.config":
        'org.apache.kafka.common.security.plain.PlainLoginModule required user_chappe="a secret";',
    },
  });
});
afterAll(() => kafka?.close());

describe.each(kafkaClientNames)("a Kafka that wants to know who we are, by %s", (client) => {
  const open = (sasl: KafkaSasl) => createKafkaLog({ brokers, partitions, prefix: `sasl-${client}`, client, sasl });

  test("takes who it knows: appends, groups and ends work", async () => {
    const log = await open(good);
    await appendTexts(log, "messages", 1, numbered("a", 10));
    expect((await readAll(log, "messages")).texts(1)).toEqual(numbered("a", 10));
    await log.close();
  });

  test("refuses a wrong password, with what to do", async () => {
    const refused = open({ ...good, password: "another" });
    await expect(refused).rejects.toMatchObject({ row: { name: "INVALID_ARGUMENT" } });
    await expect(refused).rejects.toThrow(/refuses the credentials of kafkaSaslFile.*correct the file/);
  });
});
