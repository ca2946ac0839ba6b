import { createHbaseTables, type HbaseTable } from "@chappe/mesh/dev-engines/hbase-tables.ts";
import { type HbaseStandalone, startHbase } from "@chappe/mesh/dev-engines/start-hbase.ts";
import { type KafkaCluster, type KafkaOptions, startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { type MariadbLogin, type MariadbServer, startMariadb } from "@chappe/mesh/dev-engines/start-mariadb.ts";
import { type RedisServers, startRedis } from "@chappe/mesh/dev-engines/start-redis.ts";

/** Variables with the addresses of engines to test against, instead of starting some. */
export const givenBy = {
  /** host:port,host:port */
  kafka: "CHAPPE_TEST_KAFKA",
  /** mysql://user:password@host:port/database; the user may create databases */
  mariadb: "CHAPPE_TEST_MARIADB",
  /** host:port */
  redis: "CHAPPE_TEST_REDIS",
  /** host:port,host:port */
  redisCluster: "CHAPPE_TEST_REDIS_CLUSTER",
  /** host:port of ZooKeeper */
  hbase: "CHAPPE_TEST_HBASE",
} as const;

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** An engine for a test; `own` is undefined when it is a given one, which no test may kill. */
export interface TestEngine<Address, Own> {
  readonly at: Address;
  readonly own: Own | undefined;
  /** Ends it if it is our own. */
  close(): Promise<void>;
}

const listOf = (environment: Environment, name: string): string[] =>
  (environment[name] ?? "").split(",").filter((address) => address !== "");

const given = <Address>(at: Address): TestEngine<Address, never> => ({ at, own: undefined, close: async () => {} });

const own = <Address, Own extends { close(): Promise<void> }>(at: Address, engine: Own): TestEngine<Address, Own> => ({
  at,
  own: engine,
  close: () => engine.close(),
});

/** Addresses of brokers: given ones or our own Kafka's. */
export async function kafkaForTests(
  options: KafkaOptions = {},
  environment: Environment = process.env,
): Promise<TestEngine<readonly string[], KafkaCluster>> {
  const addresses = listOf(environment, givenBy.kafka);
  if (addresses.length > 0) return given(addresses);
  const kafka = await startKafka(options);
  return own(kafka.addresses, kafka);
}

/** Reads mysql://user:password@host:port/database. */
function parseLogin(text: string): MariadbLogin {
  const { hostname, port, username, password, pathname } = new URL(text);
  const [user, secret] = [username, password].map(decodeURIComponent) as [string, string];
  return { host: hostname, port: Number(port || "3306"), user, password: secret, database: pathname.slice(1) };
}

/** A login: the given one or our own MariaDB's. */
export async function mariadbForTests(
  environment: Environment = process.env,
): Promise<TestEngine<MariadbLogin, MariadbServer>> {
  const url = environment[givenBy.mariadb];
  if (url !== undefined && url !== "") return given(parseLogin(url));
  const server = await startMariadb();
  return own(server.login, server);
}

/** Addresses of a single Redis (`nodes` = 1) or of a cluster's nodes: given ones or our own. */
export async function redisForTests(
  nodes: number,
  environment: Environment = process.env,
): Promise<TestEngine<readonly string[], RedisServers>> {
  const addresses = listOf(environment, nodes === 1 ? givenBy.redis : givenBy.redisCluster);
  if (addresses.length > 0) return given(addresses);
  const servers = await startRedis({ nodes, appendOnly: true });
  return own(servers.addresses, servers);
}

/** ZooKeeper's address of the given HBase or of our own, with these tables. */
export async function hbaseForTests(
  tables: readonly HbaseTable[],
  environment: Environment = process.env,
): Promise<TestEngine<string, HbaseStandalone>> {
  const [zookeeper] = listOf(environment, givenBy.hbase);
  if (zookeeper === undefined) {
    const hbase = await startHbase({ tables });
    return own(hbase.zookeeper, hbase);
  }
  await createHbaseTables(zookeeper, tables);
  return given(zookeeper);
}
