import { limits } from "@chappe/mesh/limits.ts";

/** One setting of a process: where it is read from, and what an operator reads about it. */
export interface Setting {
  /** Its key in the settings file. */
  readonly name: string;
  /** Argument that sets it. */
  readonly flag?: string;
  /** Variable of the environment that sets it. */
  readonly env: string;
  readonly kind: "text" | "number" | "list" | "switch";
  /** What holds when nothing sets it; undefined = off, or chosen at start. */
  readonly fallback?: string | number | boolean | readonly string[];
  readonly about: string;
}

const text = (name: string, env: string, about: string, more: Partial<Setting> = {}): Setting => ({
  name,
  env: `CHAPPE_${env}`,
  kind: "text",
  about,
  ...more,
});
const number = (name: string, env: string, about: string, more: Partial<Setting> = {}): Setting =>
  text(name, env, about, { kind: "number", ...more });
const list = (name: string, env: string, about: string, more: Partial<Setting> = {}): Setting =>
  text(name, env, about, { kind: "list", fallback: [], ...more });

const listening: readonly Setting[] = [
  text("host", "HOST", "address that it listens on", { flag: "--host", fallback: "127.0.0.1" }),
  number("port", "PORT", "HTTP and WebSocket; 0 = any free port", { flag: "--port", fallback: 8080 }),
  number("tcpPort", "TCP_PORT", "long connections over TCP; off unless named", { flag: "--tcp-port" }),
  number("grpcPort", "GRPC_PORT", "gRPC: long connections, calls, registration; off unless named", {
    flag: "--grpc-port",
  }),
  number("udpPort", "UDP_PORT", "long connections over UDP; off unless named", { flag: "--udp-port" }),
  number("opsPort", "OPS_PORT", "ops page, /readyz, /metrics, /trace of this process; in development from 9000 on", {
    flag: "--ops-port",
  }),
  list(
    "extraHosts",
    "EXTRA_HOSTS",
    "further addresses for HTTP, WebSocket and TCP: more targets for a proxy before it",
  ),
  list(
    "trustedProxies",
    "TRUSTED_PROXIES",
    "addresses and networks of proxies: their X-Forwarded-For and PROXY v2 hold",
  ),
  list("corsOrigins", "CORS_ORIGINS", "origins whose pages may call over HTTP; `*` alone = all"),
];

const limiting: readonly Setting[] = [
  number("connectionsPerAddress", "CONNECTIONS_PER_ADDRESS", "long connections of one client address"),
  number(
    "connectsPerSecondPerAddress",
    "CONNECTS_PER_SECOND_PER_ADDRESS",
    "new long connections a second of one client address",
  ),
  list(
    "singleDeviceClasses",
    "SINGLE_DEVICE_CLASSES",
    "WEB, MOBILE, DESKTOP, BOT: classes in which a user's newest device ends the older ones",
  ),
  number("sendsPerSecondPerUser", "SENDS_PER_SECOND_PER_USER", "messages a second of one user", { fallback: 2_000 }),
  number(
    "authAttemptBurst",
    "AUTH_ATTEMPT_BURST",
    "sign-ins, registrations and refreshes at once of one name and address",
  ),
  number("argon2MemoryKib", "ARGON2_MEMORY_KIB", "memory that hashing a password takes", { fallback: 19_456 }),
  number("argon2Passes", "ARGON2_PASSES", "passes of hashing a password", { fallback: 2 }),
];

const storing: readonly Setting[] = [
  text("dataDirectory", "DATA", "data directory", { flag: "--data", fallback: ".chappe/data" }),
  number("flushIntervalMs", "FLUSH_INTERVAL_MS", "messages are in SQLite after so long, in the log at once", {
    fallback: 500,
  }),
  number("minFreeBytes", "MIN_FREE_BYTES", "disk space that the log leaves alone", { fallback: 64 * 1024 * 1024 }),
  list("kafkaBrokers", "KAFKA_BROKERS", "Kafka brokers, host:port; none = a journal in the data directory"),
  number("kafkaPartitions", "KAFKA_PARTITIONS", "partitions of each topic, fixed for the life of the data", {
    fallback: 32,
  }),
  text("kafkaSaslFile", "KAFKA_SASL_FILE", "JSON file with who we are for Kafka: `{mechanism, username, password}`"),
  text("kafkaCaFile", "KAFKA_CA_FILE", "PEM file of who signs for the brokers; named = TLS"),
  text("kafkaClient", "KAFKA_CLIENT", "library that speaks to Kafka: kafkajs or platformatic", { fallback: "kafkajs" }),
  text("kafkaPrefix", "KAFKA_PREFIX", "what names of topics and groups begin with", { fallback: "chappe" }),
  text("mysqlUrl", "MYSQL_URL", "MySQL 8 or MariaDB, `mysql://user@host:3306/database`; none = SQLite"),
  text("mysqlPasswordFile", "MYSQL_PASSWORD_FILE", "file with the password of that user"),
  list(
    "hotWindowAddresses",
    "HOT_WINDOW_ADDRESSES",
    "Redis of the newest messages; with MySQL, `redisAddresses` if none",
  ),
  number("hotWindowMessages", "HOT_WINDOW_MESSAGES", "messages of a conversation kept there; 0 = none", {
    fallback: 500,
  }),
  number("hotWindowBytes", "HOT_WINDOW_BYTES", "bytes of a conversation kept there", { fallback: 256 * 1024 }),
  number("hotWindowDays", "HOT_WINDOW_DAYS", "days that they are kept there", { fallback: 7 }),
  number(
    "reconcileIntervalMs",
    "RECONCILE_INTERVAL_MS",
    "msg-writer compares a sample over all tiers so often; 0 = never",
  ),
  list(
    "hbaseZookeeper",
    "HBASE_ZOOKEEPER",
    "ZooKeeper of the HBase that old days move to, host:port; none = they stay",
  ),
  text("hbaseZnode", "HBASE_ZNODE", "that HBase's node in ZooKeeper", { fallback: "/hbase" }),
  text("hbaseTable", "HBASE_TABLE", "table of old messages; `chappe archive create-table` makes it", {
    fallback: "chappe-history",
  }),
  number("archiveAfterDays", "ARCHIVE_AFTER_DAYS", "days besides today's that stay in MySQL, 2 or more", {
    fallback: limits.archiveAfterDays,
  }),
  number("archiveGraceMs", "ARCHIVE_GRACE_MS", "from copy to check and drop; twice HBase's flush interval or more", {
    fallback: limits.archiveGraceMs,
  }),
];

const meshing: readonly Setting[] = [
  list("roles", "ROLES", "roles of this process", { flag: "--roles", fallback: ["core", "login", "route", "online"] }),
  text("instanceId", "INSTANCE_ID", "name of this process, unique in the mesh; made up unless named"),
  number("workers", "WORKERS", "processes that share the ports of a Login", { flag: "--workers", fallback: 1 }),
  text("linkHost", "LINK_HOST", "address on which a Route listens for links and registrations", {
    fallback: "127.0.0.1",
  }),
  number("linkPort", "LINK_PORT", "port of it; 0 = any free port", { fallback: 0 }),
  text("advertiseHost", "ADVERTISE_HOST", "host under which other processes reach this one", {
    fallback: "127.0.0.1",
  }),
  list("routes", "ROUTES", "Routes to dial, host:port, besides those of the directory"),
  list("redisAddresses", "REDIS_ADDRESSES", "Redis nodes, host:port; several = a cluster, none = in memory"),
  text("linkSecretFile", "LINK_SECRET_FILE", "file with the secret of links, 32 bytes or more"),
  {
    name: "meshTls",
    flag: "--no-mesh-tls",
    env: "CHAPPE_MESH_TLS",
    kind: "switch",
    about: "TLS with certificates of roles between processes; on unless in development mode",
  },
  text(
    "tlsCertFile",
    "TLS_CERT_FILE",
    "PEM certificate of this process, which names its roles; read again when it changes",
  ),
  text("tlsKeyFile", "TLS_KEY_FILE", "PEM key of it"),
  text("tlsCaFile", "TLS_CA_FILE", "PEM certificates of the authorities that processes of the mesh are trusted by"),
  text("tlsTrustDomain", "TLS_TRUST_DOMAIN", "roles are named `spiffe://DOMAIN/role/ROLE` in certificates", {
    fallback: "chappe",
  }),
  text("backendsFile", "BACKENDS_FILE", "JSON file with who may register gRPC servers; README has its form"),
  text("envoySettingsFile", "ENVOY_SETTINGS_FILE", "JSON file with the settings of the Envoy before Login"),
  text("envoyDirectory", "ENVOY_DIRECTORY", "folder with the files that Envoy watches", { fallback: ".chappe/envoy" }),
];

const observing: readonly Setting[] = [
  text("otlpUrl", "OTLP_URL", "OTLP receiver for spans and metrics, as in http://127.0.0.1:4318; none = not exported"),
  number("metricsIntervalMs", "METRICS_INTERVAL_MS", "metrics go to the OTLP receiver so often", { fallback: 10_000 }),
  number(
    "traceRate",
    "TRACE_RATE",
    "share of the messages for one recipient that are traced; falls to 0.1% for 10,000",
    {
      fallback: 0.01,
    },
  ),
  number("traceRingEntries", "TRACE_RING_ENTRIES", "hops of messages that are remembered, a power of two; 0 = off", {
    fallback: 131_072,
  }),
  text("traceKeyFile", "TRACE_KEY_FILE", "file with the key of tokens with which clients have their messages traced"),
];

const running: readonly Setting[] = [
  { name: "devMode", flag: "--no-dev", env: "CHAPPE_DEV", kind: "switch", fallback: true, about: "demo accounts" },
  {
    name: "json",
    flag: "--json",
    env: "CHAPPE_JSON",
    kind: "switch",
    fallback: false,
    about: "prints one line of JSON when it is up, instead of the table",
  },
  number("drainMs", "DRAIN_MS", "how long clients have to move after SIGTERM", { fallback: 500 }),
];

/** All of them. */
export const settings: readonly Setting[] = [
  ...listening,
  ...storing,
  ...limiting,
  ...meshing,
  ...observing,
  ...running,
];

function fallbackText({ fallback }: Setting): string {
  if (fallback === undefined) return "";
  return Array.isArray(fallback) ? fallback.join() : String(fallback);
}

/** The settings as a Markdown table. */
export function describeSettings(): string {
  const rows = settings.map((setting) => {
    const { name, flag, env, about } = setting;
    const names = [flag, env].flatMap((one) => (one === undefined ? [] : [`\`${one}\``])).join(", ");
    return `| \`${name}\` | ${names} | ${fallbackText(setting)} | ${about} |`;
  });
  return ["| in a file | argument, environment | default | meaning |", "| - | - | - | - |", ...rows].join("\n");
}
