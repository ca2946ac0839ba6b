/** Ports of 127.0.0.1 on which one Kafka process listens. */
export interface KafkaPorts {
  readonly client: number;
  readonly controller: number;
}

/** What a broker's configuration depends on. */
export interface KafkaLayout {
  /** From 1. */
  readonly nodeId: number;
  /** Of all brokers, in order of their id. */
  readonly ports: readonly KafkaPorts[];
  readonly logDirectory: string;
  /** Further server.properties; they win. */
  readonly settings: Readonly<Record<string, string>>;
}

/** The text of server.properties: every process is broker and controller, on loopback, small. */
export function kafkaProperties({ nodeId, ports, logDirectory, settings }: KafkaLayout): string {
  const { client, controller } = ports[nodeId - 1]!;
  const copies = String(ports.length);
  const mostInSync = String(Math.max(1, ports.length - 1));
  const properties: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": String(nodeId),
    "controller.quorum.voters": ports.map((each, i) => `${i + 1}@127.0.0.1:${each.controller}`).join(","),
    "controller.listener.names": "CONTROLLER",
    listeners: `PLAINTEXT://127.0.0.1:${client},CONTROLLER://127.0.0.1:${controller}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${client}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": logDirectory,
    "auto.create.topics.enable": "false",
    "default.replication.factor": copies,
    "min.insync.replicas": mostInSync,
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": copies,
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": copies,
    "transaction.state.log.min.isr": mostInSync,
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": copies,
    "share.coordinator.state.topic.min.isr": mostInSync,
    "group.initial.rebalance.delay.ms": "0",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": String(4 * 1024 * 1024),
    // A killed broker is noticed soon: tests of that are what three brokers are for.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    ...settings,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
