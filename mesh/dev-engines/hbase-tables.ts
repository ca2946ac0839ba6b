import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fetchJars } from "./fetch-jars.ts";
import { runToEnd } from "./run-to-end.ts";

const createTimeoutMs = 60_000;
const probeTimeoutMs = 10_000;
const toolHeapMb = 256;
const folder = fileURLToPath(new URL(".", import.meta.url));
const createTablesProgram = join(folder, "packages/CreateTables.java");
const probeProgram = join(folder, "hbase-probe.ts");

/** A table with one column family, one version of each cell. */
export interface HbaseTable {
  readonly name: string;
  readonly family: string;
  /** First rows of all regions but the first. @default one region */
  readonly splitKeys?: readonly Uint8Array[];
}

/** Arguments of every Java program with HBase's classes. */
export const hbaseJavaArgs = (classPath: string, heapMb: number): string[] => [
  `-Xmx${heapMb}m`,
  "-XX:+UseSerialGC",
  "-Djava.net.preferIPv4Stack=true",
  "-cp",
  classPath,
];

/** Creates the tables that are not there, on any HBase; `zookeeper` is its "host:port". About 4 s. */
export async function createHbaseTables(
  zookeeper: string,
  tables: readonly HbaseTable[],
  timeoutMs: number = createTimeoutMs,
): Promise<void> {
  const descriptions = tables.map(({ name, family, splitKeys = [] }) => {
    const keys = splitKeys.map((key) => Buffer.from(key).toString("hex"));
    return `${name}:${family}:${keys.join(",")}`;
  });
  const java = hbaseJavaArgs(join(await fetchJars("hbase"), "*"), toolHeapMb);
  const args = ["-XX:TieredStopAtLevel=1", ...java, createTablesProgram, zookeeper, ...descriptions];
  await runToEnd("java", args, { cwd: folder, timeoutMs });
}

/** Puts a value into the cell "q" of a row, when there is one, and answers what the cell holds; "" = nothing. */
export async function probeHbase(
  zookeeper: string,
  { name, family }: HbaseTable,
  row: string,
  value?: string,
): Promise<string> {
  const args = [probeProgram, zookeeper, name, family, row, ...(value === undefined ? [] : [value])];
  return runToEnd(process.execPath, args, {
    cwd: folder,
    timeoutMs: probeTimeoutMs,
  });
}
