import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Ports of 127.0.0.1 on which one standalone HBase listens. */
export interface HbasePorts {
  readonly zookeeper: number;
  readonly master: number;
  readonly regionServer: number;
}

/** A standalone HBase whose session ends ends itself: it has to live through pauses and busy machines. ZooKeeper's most. */
const sessionTimeoutMs = 40_000;
/** Regions are given out only after a server has sent a report. */
const reportMs = 500;

/** Everything in one process, on loopback, nothing waits for more servers. */
const siteOf = (directory: string, ports: HbasePorts): Readonly<Record<string, string>> => ({
  "hbase.cluster.distributed": "false",
  "hbase.rootdir": pathToFileURL(join(directory, "root")).href,
  // Without a checksum file beside each file: HBase has checksums of its own.
  "fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
  "hbase.unsafe.stream.capability.enforce": "false",
  "hbase.wal.provider": "filesystem",
  "hbase.tmp.dir": join(directory, "tmp"),
  "hbase.zookeeper.quorum": "localhost",
  "hbase.zookeeper.property.dataDir": join(directory, "zookeeper"),
  "hbase.zookeeper.property.clientPort": String(ports.zookeeper),
  "hbase.master.hostname": "localhost",
  "hbase.master.ipc.address": "127.0.0.1",
  "hbase.master.port": String(ports.master),
  "hbase.master.info.port": "-1",
  "hbase.unsafe.regionserver.hostname": "localhost",
  "hbase.regionserver.ipc.address": "127.0.0.1",
  "hbase.regionserver.port": String(ports.regionServer),
  "hbase.regionserver.info.port": "-1",
  "hbase.regionserver.handler.count": "8",
  "hbase.master.wait.on.regionservers.mintostart": "1",
  "hbase.master.wait.on.regionservers.maxtostart": "1",
  "hbase.regionserver.msginterval": String(reportMs),
  // Of the two, HBase takes the second when it has its own ZooKeeper.
  "zookeeper.session.timeout": String(sessionTimeoutMs),
  "zookeeper.session.timeout.localHBaseCluster": String(sessionTimeoutMs),
});

const logging = [
  "log4j.rootLogger=WARN, console",
  "log4j.logger.org.apache.hadoop.hbase.master.HMaster=INFO",
  "log4j.appender.console=org.apache.log4j.ConsoleAppender",
  "log4j.appender.console.target=System.err",
  "log4j.appender.console.layout=org.apache.log4j.PatternLayout",
  "log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %-5p [%t] %c{2}: %m%n",
];

const escaped = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

/** Writes the configuration of HBase; answers its folder. */
export function writeHbaseFiles(
  directory: string,
  ports: HbasePorts,
  settings: Readonly<Record<string, string>>,
): string {
  const folder = join(directory, "conf");
  mkdirSync(folder, { recursive: true });
  const properties = Object.entries({ ...siteOf(directory, ports), ...settings }).map(
    ([name, value]) => `  <property><name>${escaped(name)}</name><value>${escaped(value)}</value></property>\n`,
  );
  writeFileSync(join(folder, "hbase-site.xml"), `<configuration>\n${properties.join("")}</configuration>\n`);
  writeFileSync(join(folder, "log4j.properties"), `${logging.join("\n")}\n`);
  return folder;
}
