import { type DevPorts, devMariadbPassword, devRedisClusterNodes } from "./engine-defaults.ts";
import type { EngineServer } from "./engine-server.ts";
import { startHbase } from "./start-hbase.ts";
import { startKafka } from "./start-kafka.ts";
import { startMariadb } from "./start-mariadb.ts";
import { startRedis } from "./start-redis.ts";

/** The engines of a developer. */
export const devEngineNames = ["kafka", "mariadb", "redis", "redis-cluster", "hbase"] as const;

/** One of them. */
export type DevEngineName = (typeof devEngineNames)[number];

/** An engine that has just become healthy. */
export interface StartedEngine {
  /** How clients reach it. */
  readonly address: string;
  readonly servers: readonly EngineServer[];
}

const starters: Readonly<Record<DevEngineName, (dataDir: string, ports: DevPorts) => Promise<StartedEngine>>> = {
  async kafka(dataDir, ports) {
    const { addresses, brokers } = await startKafka({ dataDir, firstPort: ports.kafka });
    return { address: addresses.join(), servers: brokers };
  },
  async mariadb(dataDir, ports) {
    const server = await startMariadb({ dataDir, port: ports.mariadb, password: devMariadbPassword });
    const { host, port, user, password, database } = server;
    return { address: `mysql://${user}:${password}@${host}:${port}/${database}`, servers: [server] };
  },
  async redis(dataDir, ports) {
    const { addresses, nodes } = await startRedis({ nodes: 1, dataDir, appendOnly: true, firstPort: ports.redis });
    return { address: addresses.join(), servers: nodes };
  },
  async "redis-cluster"(dataDir, ports) {
    const options = { nodes: devRedisClusterNodes, dataDir, appendOnly: true, firstPort: ports.redisCluster };
    const { addresses, nodes } = await startRedis(options);
    return { address: addresses.join(), servers: nodes };
  },
  async hbase(dataDir, ports) {
    const server = await startHbase({ dataDir, firstPort: ports.hbase });
    return { address: server.zookeeper, servers: [server] };
  },
};

/** Starts an engine on its fixed ports, with what it kept in the directory. */
export const startDevEngine = (name: DevEngineName, dataDir: string, ports: DevPorts): Promise<StartedEngine> =>
  starters[name](dataDir, ports);
