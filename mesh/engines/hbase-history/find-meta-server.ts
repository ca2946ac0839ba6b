import { HbaseFailure } from "./hbase-failure.ts";
import type { HbaseLibrary } from "./hbase-library.ts";
import { within } from "./within.ts";

/** Where HBase is. */
export interface HbaseAddress {
  /** ZooKeeper's servers, host:port. */
  readonly zookeeper: readonly string[];
  /** HBase's node in ZooKeeper. @default "/hbase" */
  readonly znode?: string;
}

const sessionTimeoutMs = 10_000;
const spinDelayMs = 100;

/** "host:port" of the server that has the region of regions. ZooKeeper is asked each time; nothing stays open. */
export async function findMetaServer(
  library: HbaseLibrary,
  { zookeeper: servers, znode = "/hbase" }: HbaseAddress,
  timeoutMs: number,
): Promise<string> {
  const options = { sessionTimeout: sessionTimeoutMs, spinDelay: spinDelayMs, retries: 0 };
  const zookeeper = library.createZookeeper(servers.join(), options);
  const read = new Promise<Buffer>((resolve, reject) => {
    zookeeper.once("connected", () =>
      zookeeper.getData(`${znode}/meta-region-server`, (error, data) => {
        if (error === null && data !== null) resolve(data);
        else reject(new HbaseFailure("lost", `ZooKeeper does not say where HBase is: ${error?.message ?? "no data"}`));
      }),
    );
  });
  zookeeper.connect();
  try {
    const late = () => new HbaseFailure("lost", `ZooKeeper at ${servers.join()} does not answer`);
    const { server } = library.decodeMeta(await within(timeoutMs, read, late));
    return `${server.hostName}:${server.port}`;
  } finally {
    zookeeper.close();
  }
}
