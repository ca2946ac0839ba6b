import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineServer } from "@chappe/mesh/dev-engines/engine-server.ts";
import { runToEnd } from "@chappe/mesh/dev-engines/run-to-end.ts";
import { type HbaseStandalone, startHbase } from "@chappe/mesh/dev-engines/start-hbase.ts";
import { type KafkaCluster, type KafkaOptions, startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { type MariadbServer, startMariadb } from "@chappe/mesh/dev-engines/start-mariadb.ts";
import { historyTable } from "@chappe/mesh/engines/hbase-history/history-table.ts";
import { migrate } from "@chappe/mesh/engines/mysql/migrate.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { type CuttingProxy, startCuttingProxy } from "../engines/cutting-proxy.ts";
import { type ArchiverStop, stopsEnvironment } from "./archiver-stops.ts";

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
  /** Where old days move, when the stage has that. */
  readonly archive?: ArchiveEngines;
  /** Servers by the names that acts use. */
  readonly servers: Readonly<Record<string, EngineServer>>;
  /** Settings of a process with these roles. */
  envOf(roles: string): Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** The history of a stage, and what its archiver is told at its next start. */
export interface ArchiveEngines {
  readonly hbase: HbaseStandalone;
  /** In it. */
  readonly table: string;
  /** Where the next archiver stops; may be changed. */
  stops: readonly ArchiverStop[];
}

const historyName = "chappe-faults";
const historyRegions = 4;
/** The least that is allowed, and a grace that a run can wait for. */
const archiveWindows = {
  CHAPPE_ARCHIVE_AFTER_DAYS: String(limits.minArchiveAfterDays),
  CHAPPE_ARCHIVE_GRACE_MS: "500",
};
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

/** The same as startStageEngines, with an HBase. */
export async function startWithHistory(): Promise<StageEngines> {
  const hbase = await startHbase({ tables: [historyTable(historyName, historyRegions)] });
  try {
    const engines = await startStageEngines();
    const archive: ArchiveEngines = { hbase, table: historyName, stops: [] };
    return {
      ...engines,
      archive,
      servers: { ...engines.servers, hbase },
      envOf: (roles) => ({
        ...engines.envOf(roles),
        ...{ CHAPPE_HBASE_ZOOKEEPER: hbase.zookeeper, CHAPPE_HBASE_TABLE: historyName },
        ...archiveWindows,
        ...(roles === "archiver" && archive.stops.length > 0 && stopsEnvironment(archive.stops)),
      }),
      async close() {
        await engines.close();
        await hbase.close();
      },
    };
  } catch (error) {
    await hbase.close();
    throw error;
  }
}
