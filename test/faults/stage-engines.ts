import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineServer } from "@chappe/mesh/dev-engines/engine-server.ts";
import { runToEnd } from "@chappe/mesh/dev-engines/run-to-end.ts";
import { type KafkaCluster, type KafkaOptions, startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { type MariadbServer, startMariadb } from "@chappe/mesh/dev-engines/start-mariadb.ts";
import { migrate } from "@chappe/mesh/engines/mysql/migrate.ts";
import { type CuttingProxy, startCuttingProxy } from "../engines/cutting-proxy.ts";

/** The engines that a stage shares among its processes, and what acts may do to them. */
export interface StageEngines {
  readonly kafka: KafkaCluster;
  readonly mariadb: MariadbServer;
  /** Of MariaDB: everything of it is here. */
  readonly dataDirectory: string;
  /** Where Kafka keeps its log, when that is a disk of its own. */
  readonly kafkaDisk: string | undefined;
  /** Between the msg-writers and MariaDB. */
  readonly commits: CuttingProxy;
  /** Servers by the names that acts use. */
  readonly servers: Readonly<Record<string, EngineServer>>;
  /** Settings of a process with these roles. */
  envOf(roles: string): Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const partitions = "8";
const diskMb = 512;
const mountOptions = { cwd: tmpdir(), timeoutMs: 10_000 };

/** A disk of its own for Kafka, of which tests may leave nothing. */
async function mountDisk(): Promise<string> {
  const path = mkdtempSync(join(tmpdir(), "chappe-faults-kafka-"));
  try {
    await runToEnd("mount", ["-t", "tmpfs", "-o", `size=${diskMb}m`, "tmpfs", path], mountOptions);
  } catch (cause) {
    throw new Error("this case mounts a tmpfs and must run as root where mount is permitted", { cause });
  }
  return path;
}

/** The same as startStageEngines, with Kafka's log on a small disk of its own. */
export async function startOnSmallDisk(): Promise<StageEngines> {
  const kafkaDisk = await mountDisk();
  const unmount = async (): Promise<void> => {
    await runToEnd("umount", [kafkaDisk], mountOptions);
    rmSync(kafkaDisk, { recursive: true });
  };
  try {
    const engines = await startStageEngines({ dataDir: kafkaDisk });
    const close = async (): Promise<void> => {
      await engines.close();
      await unmount();
    };
    return { ...engines, kafkaDisk, close };
  } catch (error) {
    await unmount();
    throw error;
  }
}

/** Starts Kafka as told, and MariaDB with the schema of this build. */
export async function startStageEngines(kafkaOptions: KafkaOptions = {}): Promise<StageEngines> {
  const dataDirectory = mkdtempSync(join(tmpdir(), "chappe-faults-mariadb-"));
  const [kafka, mariadb] = await Promise.all([startKafka(kafkaOptions), startMariadb({ dataDir: dataDirectory })]);
  const { host, port, user, password, database } = mariadb.login;
  await migrate(mariadb.login);
  const commits = await startCuttingProxy({ host, port });
  const urlOf = (at: number): string => `mysql://${user}:${password}@${host}:${at}/${database}`;
  return {
    kafka,
    mariadb,
    dataDirectory,
    kafkaDisk: undefined,
    commits,
    servers: { mariadb, kafka: kafka.brokers[0]! },
    envOf: (roles) => ({
      CHAPPE_MYSQL_URL: urlOf(roles === "msg-writer" ? commits.port : port),
      CHAPPE_KAFKA_BROKERS: kafka.addresses.join(),
      CHAPPE_KAFKA_PARTITIONS: partitions,
    }),
    async close() {
      await commits.close();
      await Promise.all(kafka.brokers.map((broker) => broker.kill()));
      await kafka.close();
      await mariadb.kill();
      rmSync(dataDirectory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
