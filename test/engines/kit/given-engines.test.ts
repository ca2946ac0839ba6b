import { expect, it } from "vitest";
import { kafkaForTests, mariadbForTests, redisForTests } from "./engines-for-tests.ts";

it("uses addresses that are given, and starts nothing then", async () => {
  const environment = {
    CHAPPE_TEST_KAFKA: "10.0.0.1:9092,10.0.0.2:9092",
    CHAPPE_TEST_MARIADB: "mysql://ada:p%40ss@db.example:3307/chat",
    CHAPPE_TEST_REDIS: "10.0.0.3:6379",
    CHAPPE_TEST_REDIS_CLUSTER: "10.0.0.4:1,10.0.0.4:2",
  };
  const engines = [
    await kafkaForTests({}, environment),
    await mariadbForTests(environment),
    await redisForTests(1, environment),
    await redisForTests(3, environment),
  ];
  expect(engines.map(({ at }) => at)).toEqual([
    ["10.0.0.1:9092", "10.0.0.2:9092"],
    { host: "db.example", port: 3307, user: "ada", password: "p@ss", database: "chat" },
    ["10.0.0.3:6379"],
    ["10.0.0.4:1", "10.0.0.4:2"],
  ]);
  expect(engines.every(({ own }) => own === undefined)).toBe(true);
});
