/** Versions of the engines; packages/ and deploy/compose.yaml name the same. */
export const engineVersions = Object.freeze({
  kafka: "4.1.0",
  mariadb: "10.11",
  redis: "7.0.15",
  hbase: "2.6.2",
  envoy: "1.40.0",
  zipkin: "3.5.1",
});

/** Number of servers of the Redis cluster that developers get. */
export const devRedisClusterNodes = 3;

/** Where the engines of a developer listen, on 127.0.0.1. */
export interface DevPorts {
  /** Client port; the controller's is the next one. */
  readonly kafka: number;
  readonly mariadb: number;
  readonly redis: number;
  /** First of the cluster; the others follow. */
  readonly redisCluster: number;
  /** ZooKeeper's; the master's and the region server's follow. */
  readonly hbase: number;
}

/** Away from what a machine may have there already. */
export const devPorts: DevPorts = Object.freeze({
  kafka: 19_092,
  mariadb: 13_306,
  redis: 16_379,
  redisCluster: 17_000,
  hbase: 12_181,
});

/** A developer's MariaDB is reached from this machine only; the user and the database are called so too. */
export const devMariadbPassword = "chappe";
