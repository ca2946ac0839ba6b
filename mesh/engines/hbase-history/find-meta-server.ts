import { HbaseFailure } from "./hbase-failure.ts";
import type { HbaseLibrary } from "./hbase-library.ts";
import { readZnode } from "./read-znode.ts";

/** Where HBase is. */
export interface HbaseAddress {
  /** ZooKeeper's servers, host:port. */
  readonly zookeeper: readonly string[];
  /** HBase's node in ZooKeeper. @default "/hbase" */
  readonly znode?: string;
}

/**
 * "host:port" of the server that has the region of regions. ZooKeeper is asked each time; nothing stays open. Each of its
 * servers gets its share of the time, in turn from a random one on.
 */
export async function findMetaServer(
  { decodeMeta }: Pick<HbaseLibrary, "decodeMeta">,
  { zookeeper: servers, znode = "/hbase" }: HbaseAddress,
  timeoutMs: number,
): Promise<string> {
  const first = Math.floor(Math.random() * servers.length);
  const failures: string[] = [];
  for (let tried = 0; tried < servers.length; tried++) {
    const server = servers[(first + tried) % servers.length]!;
    try {
      const data = await readZnode(server, `${znode}/meta-region-server`, timeoutMs / servers.length);
      const { hostName, port } = decodeMeta(data).server;
      return `${hostName}:${port}`;
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  throw new HbaseFailure("lost", `nobody says where HBase is: ${failures.join("; ")}`);
}
