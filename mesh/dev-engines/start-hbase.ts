import { delimiter, join } from "node:path";
import { ChappeError } from "../errors/chappe-error.ts";
import { createEngineServer, type EngineServer, type StartedServer } from "./engine-server.ts";
import { fetchJars } from "./fetch-jars.ts";
import { freePort, wantFreePorts } from "./free-port.ts";
import { type HbasePorts, writeHbaseFiles } from "./hbase-files.ts";
import { createHbaseTables, type HbaseTable, hbaseJavaArgs, probeHbase } from "./hbase-tables.ts";
import { openRunDirectory } from "./run-directory.ts";

const startTimeoutMs = 120_000;
const defaultHeapMb = 384;
const healthTable: HbaseTable = { name: "chappe-health", family: "f" };
/** HBase of this version asks it of every Java from 17 on. */
const openedPackages = [
  ...["java.lang", "java.nio", "sun.nio.ch", "java.lang.reflect", "jdk.internal.ref"].map(
    (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
  ),
  "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
  "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
];

/** How to start HBase. */
export interface HbaseOptions {
  /** Created before the start is over, if they are not there. */
  readonly tables?: readonly HbaseTable[];
  /** Kept at the end; a second start with it finds the data. @default a temporary one */
  readonly dataDir?: string;
  /** ZooKeeper's, the master's and the region server's port are this and the next two. @default free ones */
  readonly firstPort?: number;
  /** Further properties of hbase-site.xml; they win. */
  readonly settings?: Readonly<Record<string, string>>;
  /** @default 384 */
  readonly heapMb?: number;
  /** @default 120,000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A standalone HBase of ours: master, region server and ZooKeeper in one process. */
export interface HbaseStandalone extends EngineServer {
  /** "localhost:port" of ZooKeeper: what clients want to know. */
  readonly zookeeper: string;
  /** Creates the tables that are not there; about 4 s. */
  createTables(tables: readonly HbaseTable[]): Promise<void>;
  /** Ends it; removes the data when its directory is a temporary one. */
  close(): Promise<void>;
}

async function choosePorts(firstPort: number | undefined): Promise<HbasePorts> {
  const zookeeper = firstPort ?? (await freePort([1, 2]));
  await wantFreePorts([zookeeper, zookeeper + 1, zookeeper + 2]);
  return { zookeeper, master: zookeeper + 1, regionServer: zookeeper + 2 };
}

/** Starts HBase and waits until its tables are there and answer a put and a get. UNAVAILABLE with the end of its log if not. */
export async function startHbase(options: HbaseOptions = {}): Promise<HbaseStandalone> {
  const { heapMb = defaultHeapMb, timeoutMs = startTimeoutMs, signal } = options;
  const jars = await fetchJars("hbase");
  const ports = await choosePorts(options.firstPort);
  const directory = openRunDirectory("hbase", options.dataDir);
  const conf = writeHbaseFiles(directory.path, ports, options.settings ?? {});
  const zookeeper = `localhost:${ports.zookeeper}`;
  const server: StartedServer = createEngineServer({
    what: "HBase",
    process: {
      program: "java",
      args: [
        ...hbaseJavaArgs(`${conf}${delimiter}${join(jars, "*")}`, heapMb),
        ...openedPackages,
        "org.apache.hadoop.hbase.master.HMaster",
        "start",
      ],
      cwd: directory.path,
      logFile: join(directory.path, "hbase.log"),
      ...(directory.temporary === undefined ? {} : { temporaryDirectory: directory.temporary }),
    },
    async check() {
      const found = await probeHbase(zookeeper, healthTable, "probe", "well");
      if (found !== "well") throw new ChappeError("UNAVAILABLE", `the probe's cell holds "${found}"`);
    },
    timeoutMs,
  });
  const close = async (): Promise<void> => {
    await server.kill(directory.temporary === undefined ? "SIGTERM" : "SIGKILL");
    directory.remove();
  };
  const create = (tables: readonly HbaseTable[]): Promise<void> => createHbaseTables(zookeeper, tables, timeoutMs);
  try {
    await server.ready(() => create([healthTable, ...(options.tables ?? [])]), signal);
    await server.ready(undefined, signal);
    return Object.assign(server, { zookeeper, createTables: create, close });
  } catch (error) {
    await close();
    throw error;
  }
}
