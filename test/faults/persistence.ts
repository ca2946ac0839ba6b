import { startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { startMariadb } from "@chappe/mesh/dev-engines/start-mariadb.ts";
import { migrate } from "@chappe/mesh/engines/mysql/migrate.ts";
import type { Act, HarmedEngines } from "./signalling.ts";

/** The modules of core as processes of their own, twice where the load is. */
export const persistenceMembers: Readonly<Record<string, string>> = {
  "route-1": "route",
  "proxy-1": "msg-proxy",
  "proxy-2": "msg-proxy",
  "writer-1": "msg-writer",
  "writer-2": "msg-writer",
  "reader-1": "msg-reader",
  "reader-2": "msg-reader",
  "push-1": "push",
  "push-2": "push",
  business: "business",
  "login-1": "login,online",
  "login-2": "login,online",
};

const harmed = ["proxy-1", "writer-1", "reader-1", "push-1", "kafka", "mariadb"] as const;

/** kill -9, SIGSTOP and SIGTERM of a process of each module and of the engines beneath them. */
export const persistenceActs: readonly Act[] = [
  ...harmed.flatMap((name) => [{ name, harm: "kill" } as const, { name, harm: "stall" } as const]),
  { name: "writer-2", harm: "drain" },
  { name: "proxy-2", harm: "drain" },
  { name: "business", harm: "kill" },
];

/** Kafka, and MariaDB with the schema of this build. */
export async function startPersistenceEngines(): Promise<HarmedEngines> {
  const [kafka, mariadb] = await Promise.all([startKafka(), startMariadb()]);
  const { host, port, user, password, database } = mariadb.login;
  await migrate(mariadb.login);
  return {
    servers: { mariadb, kafka: kafka.brokers[0]! },
    env: {
      CHAPPE_MYSQL_URL: `mysql://${user}:${password}@${host}:${port}/${database}`,
      CHAPPE_KAFKA_BROKERS: kafka.addresses.join(),
      CHAPPE_KAFKA_PARTITIONS: "8",
    },
    async close() {
      await kafka.close();
      await mariadb.close();
    },
  };
}
