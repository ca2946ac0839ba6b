import { type KafkaValues, openKafkaValues } from "@chappe/mesh/dev-engines/test-support/kafka-values.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kafkaForTests } from "./engines-for-tests.ts";

const startMs = 120_000;
const topic = `kit-${crypto.randomUUID()}`;

/** The two start one after the other: each takes both cores. */
describe.each([1, 3] as const)("Kafka of %i", (brokers) => {
  let kafka: Awaited<ReturnType<typeof kafkaForTests>>;
  let values: KafkaValues;

  beforeAll(async () => {
    kafka = await kafkaForTests({ brokers, settings: { "log.retention.ms": "3600000" } });
    values = await openKafkaValues(kafka.at, `${topic}-${brokers}`);
  }, startMs);
  afterAll(async () => {
    await values?.close();
    await kafka?.close();
  });

  it("keeps what it has acknowledged when a broker is killed", { timeout: startMs }, async () => {
    await values.write("before");
    const broker = kafka.own?.brokers[0];
    if (broker !== undefined) {
      const { pid } = broker;
      await broker.kill();
      expect(() => process.kill(pid, 0)).toThrow("ESRCH");
      if (brokers === 3) await values.write("meanwhile");
      await broker.restart();
      expect(broker.pid).not.toBe(pid);
    }
    await values.write("after");
    expect((await values.readAll()).filter((value) => value !== "meanwhile")).toEqual(["before", "after"]);
    if (brokers === 3 && broker !== undefined) expect(await values.readAll()).toContain("meanwhile");
  });
});
