import { type KafkaCluster, startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { type MariadbServer, startMariadb } from "@chappe/mesh/dev-engines/start-mariadb.ts";
import { migrate } from "@chappe/mesh/engines/mysql/migrate.ts";
import { MeshProcesses } from "./mesh-processes.ts";

/** Every role as a process of its own, on Kafka, MariaDB and Redis of this machine. */
export interface DistributedMesh {
  readonly mesh: MeshProcesses;
  readonly kafka: KafkaCluster;
  readonly mariadb: MariadbServer;
  /** Pids of our processes and of the engines, by name. */
  readonly pids: { readonly own: Readonly<Record<string, number>>; readonly engines: Readonly<Record<string, number>> };
  close(): Promise<void>;
}

/** The processes after the Route: one of each role, Login last. */
const members = {
  "msg-proxy": "msg-proxy",
  "msg-writer": "msg-writer",
  "msg-reader": "msg-reader",
  push: "push",
  business: "business",
  login: "login,online",
} as const;

/** Partitions of the log. */
export const distributedPartitions = 8;

/** Starts the engines and the processes; when one cannot start, none stays. */
export async function startDistributedMesh(env: Readonly<Record<string, string>> = {}): Promise<DistributedMesh> {
  const [kafka, mariadb] = await Promise.all([startKafka(), startMariadb()]);
  const mesh = new MeshProcesses();
  const close = async (): Promise<void> => {
    await mesh.close();
    await kafka.close();
    await mariadb.close();
  };
  const { host, port, user, password, database } = mariadb.login;
  try {
    await migrate(mariadb.login);
    await mesh.start({ route: "route" }, 1, {
      CHAPPE_MYSQL_URL: `mysql://${user}:${password}@${host}:${port}/${database}`,
      CHAPPE_KAFKA_BROKERS: kafka.addresses.join(),
      CHAPPE_KAFKA_PARTITIONS: String(distributedPartitions),
      ...env,
    });
    for (const [name, roles] of Object.entries(members)) await mesh.add(name, roles, []);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    mesh,
    kafka,
    mariadb,
    get pids() {
      const own = Object.fromEntries(mesh.names.map((name) => [name, mesh.pid(name)]));
      return { own, engines: { kafka: kafka.brokers[0]!.pid, mariadb: mariadb.pid, redis: mesh.redisPids[0]! } };
    },
    close,
  };
}
