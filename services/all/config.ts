import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { kafkaClientNames } from "@chappe/mesh/engines/kafka-log/kafka-log-options.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { createTrustedProxies } from "@chappe/mesh/rpc/trusted-proxies.ts";
import { z } from "zod";
import { checkCorsOrigins } from "../http-edge/cors.ts";
import { type Setting, settings } from "./settings.ts";

const port = z.int().min(0).max(65_535);
const hostAndPort = z.string().regex(/^[^\s:]+:\d{1,5}$|^\[[\da-fA-F:]+\]:\d{1,5}$/, "must be host:port");
const maxWorkers = 64;
const maxRingEntries = 2 ** 24;
const isPowerOfTwo = (count: number): boolean => count === 0 || Number.isInteger(Math.log2(count));

/** Roles that a process may have; all of them make a whole. */
export const wholeRoles = ["core", "login", "route", "online"] as const;

/** The role that writes Envoy's files from the Directory. */
export const envoyControl = "envoy-control";

/** What the role "core" stands for, in the order of their start: roles of their own on engines that processes share. */
export const coreRoles = ["msg-writer", "push", "business", "msg-proxy", "msg-reader", "archiver"] as const;

/** One of coreRoles. */
export type CoreRole = (typeof coreRoles)[number];

const schema = z.strictObject({
  host: z.string().min(1),
  port,
  tcpPort: port.optional(),
  grpcPort: port.optional(),
  udpPort: port.optional(),
  opsPort: port.optional(),
  dataDirectory: z.string().min(1),
  extraHosts: z.array(z.ipv4().or(z.ipv6())).max(limits.maxExtraHosts),
  /** Addresses and networks. */
  trustedProxies: z.array(z.string()),
  devMode: z.boolean(),
  json: z.boolean(),
  argon2MemoryKib: z.int().min(8).max(1_048_576),
  argon2Passes: z.int().min(1).max(20),
  /** undefined = limits.attemptBurst*. */
  authAttemptBurst: z.int().min(1).optional(),
  flushIntervalMs: z.int().min(1),
  minFreeBytes: z.int().min(0),
  sendsPerSecondPerUser: z.int().min(1),
  /** At once and new ones a second; undefined = as in mesh/limits.ts. */
  connectionsPerAddress: z.int().min(1).optional(),
  connectsPerSecondPerAddress: z.int().min(1).optional(),
  singleDeviceClasses: z.array(z.enum(["WEB", "MOBILE", "DESKTOP", "BOT"])),
  roles: z.array(z.enum([...wholeRoles, envoyControl, ...coreRoles])).min(1),
  instanceId: z.string().regex(/^[a-z0-9-]{1,40}$/),
  workers: z.int().min(1).max(maxWorkers),
  linkHost: z.string().min(1),
  linkPort: port,
  advertiseHost: z.string().min(1),
  routes: z.array(z.string()),
  redisAddresses: z.array(z.string()),
  linkSecretFile: z.string().min(1).optional(),
  kafkaBrokers: z.array(hostAndPort),
  kafkaPartitions: z.int().min(1).max(4_096),
  kafkaClient: z.enum(kafkaClientNames),
  kafkaSaslFile: z.string().min(1).optional(),
  kafkaCaFile: z.string().min(1).optional(),
  kafkaPrefix: z.string().regex(/^[a-zA-Z0-9._-]{1,100}$/),
  mysqlUrl: z.string().min(1).optional(),
  mysqlPasswordFile: z.string().min(1).optional(),
  /** undefined = limits.reconcileIntervalMs on Kafka, never on the journal. */
  reconcileIntervalMs: z.int().min(0).optional(),
  hotWindowAddresses: z.array(z.string()),
  hotWindowMessages: z.int().min(0).max(100_000),
  hotWindowBytes: z
    .int()
    .min(1_024)
    .max(64 * 1024 * 1024),
  hotWindowDays: z.number().positive().max(365),
  /** undefined = unless in development mode. */
  meshTls: z.boolean().optional(),
  tlsCertFile: z.string().min(1).optional(),
  tlsKeyFile: z.string().min(1).optional(),
  tlsCaFile: z.string().min(1).optional(),
  tlsTrustDomain: z.string().regex(/^[a-z0-9.-]{1,200}$/),
  hbaseZookeeper: z.array(hostAndPort),
  hbaseZnode: z.string().regex(/^(?:\/[\w.-]+)+$/, "must be a path such as /hbase"),
  hbaseTable: z.string().regex(/^[a-zA-Z0-9_][\w.:-]{0,100}$/),
  archiveAfterDays: z.int().min(limits.minArchiveAfterDays).max(36_500),
  archiveGraceMs: z.int().min(0),
  backendsFile: z.string().min(1).optional(),
  envoySettingsFile: z.string().min(1).optional(),
  envoyDirectory: z.string().min(1),
  /** "*" alone = every origin. */
  corsOrigins: z.array(z.string()),
  otlpUrl: z.url({ protocol: /^https?$/ }).optional(),
  metricsIntervalMs: z.int().min(100).max(3_600_000),
  traceRate: z.number().min(0).max(1),
  traceRingEntries: z.int().min(0).max(maxRingEntries).refine(isPowerOfTwo, "must be 0 or a power of two"),
  traceKeyFile: z.string().min(1).optional(),
  drainMs: z.int().min(0).max(600_000),
  /** Other processes of this machine listen on the same ports; only a process that has workers sets it. */
  sharesPorts: z.boolean().default(false),
});

/** Settings of one process; settings.ts says what each means. */
export type Config = z.infer<typeof schema>;

/** Whether this process needs no other: every role, presence and directory in memory. */
export const isWhole = ({ roles, redisAddresses }: Config): boolean =>
  wholeRoles.every((role) => roles.includes(role)) && redisAddresses.length === 0;

/** The modules of messages, push and business that this process has. */
export const coreRolesOf = ({ roles }: Config): ReadonlySet<CoreRole> =>
  new Set(roles.includes("core") ? coreRoles : coreRoles.filter((role) => roles.includes(role)));

/** Variable with the settings of a worker, as JSON: its parent has read them already. */
export const workerSettings = "CHAPPE_WORKER_SETTINGS";

type Environment = Readonly<Record<string, string | undefined>>;

/** The items of a list with commas, empty ones left out. */
const listOf = (text: string): string[] => text.split(",").flatMap((item) => (item.trim() === "" ? [] : [item.trim()]));

function refuse(violations: readonly { field: string; rule: string; message: string }[], cause?: unknown): never {
  const text = violations.map(({ field, message }) => `${field}: ${message}`).join("; ");
  throw new ChappeError("INVALID_ARGUMENT", text, { violations, cause });
}

function readArguments(args: readonly string[]): Map<string, string> {
  const known = new Map(settings.flatMap((one) => (one.flag === undefined ? [] : [[one.flag, one] as const])));
  const values = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const setting = known.get(arg);
    if (setting?.kind === "switch") values.set(arg, arg.startsWith("--no-") ? "0" : "1");
    else if ((setting !== undefined || arg === "--config") && args[i + 1] !== undefined) values.set(arg, args[++i]!);
    else {
      const flags = ["--config", ...known.keys()].join(" ");
      throw new ChappeError("INVALID_ARGUMENT", `unknown argument, or one without its value: ${arg}\nknown: ${flags}`);
    }
  }
  return values;
}

/** The settings file: a JSON object whose keys are names of settings. */
function readFile(path: string | undefined): Readonly<Record<string, unknown>> {
  if (path === undefined) return {};
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    return refuse([{ field: "config", rule: "file", message: `${path} cannot be read as a JSON object` }], cause);
  }
}

function convert({ kind }: Setting, value: string): unknown {
  if (kind === "number") return Number(value);
  if (kind === "list") return listOf(value);
  return kind === "switch" ? value !== "0" : value;
}

/** What does not fit together, though each value is one of its setting. */
function checkTogether(config: Config): void {
  checkCorsOrigins(config.corsOrigins);
  createTrustedProxies(config.trustedProxies);
  const { kafkaBrokers, mysqlUrl } = config;
  const isShared = kafkaBrokers.length > 0 && mysqlUrl !== undefined;
  const parts = coreRolesOf(config).size;
  if (parts > 0 && parts < coreRoles.length && !isShared) {
    const message = "a part of core needs kafkaBrokers and mysqlUrl, which it shares with the other parts";
    refuse([{ field: "roles", rule: "together", message }]);
  }
  if (config.roles.includes("archiver") && config.hbaseZookeeper.length === 0) {
    const message = "archiver needs hbaseZookeeper: where old messages move to";
    refuse([{ field: "roles", rule: "together", message }]);
  }
  if (config.hbaseZookeeper.length > 0 && mysqlUrl === undefined) {
    const message = "needs mysqlUrl: the embedded store keeps every message itself";
    refuse([{ field: "hbaseZookeeper", rule: "together", message }]);
  }
  if (config.workers === 1) return;
  const { roles, port: http, tcpPort, grpcPort, udpPort, opsPort } = config;
  const only = (message: string): never => refuse([{ field: "workers", rule: "together", message }]);
  if (roles.join() !== "login") only("more than one need --roles login");
  if ([http, tcpPort, grpcPort, udpPort].includes(0)) only("more than one need ports that are named, not 0");
  if (opsPort === 0) only("more than one need an ops port that is named: worker N has the N-th after it");
}

/**
 * Reads settings: arguments win over the environment, that over the file of --config or CHAPPE_CONFIG.
 * INVALID_ARGUMENT names what is wrong.
 */
export function readConfig(args: readonly string[], env: Environment): Config {
  const given = env[workerSettings];
  if (given !== undefined) return schema.parse(JSON.parse(given));
  const values = readArguments(args);
  const file = readFile(values.get("--config") ?? env.CHAPPE_CONFIG);
  const unknown = Object.keys(file).filter((key) => !settings.some(({ name }) => name === key));
  if (unknown.length > 0) refuse(unknown.map((field) => ({ field, rule: "known", message: "is no setting" })));
  const made: Record<string, unknown> = { instanceId: `chappe-${process.pid}-${randomBytes(3).toString("hex")}` };
  const read = settings.map((setting) => {
    const value = (setting.flag === undefined ? undefined : values.get(setting.flag)) ?? env[setting.env];
    const otherwise = file[setting.name] ?? setting.fallback ?? made[setting.name];
    return [setting.name, value === undefined ? otherwise : convert(setting, value)] as const;
  });
  const parsed = schema.safeParse(Object.fromEntries(read));
  if (!parsed.success)
    refuse(
      parsed.error.issues.map(({ path, message, code }) => ({ field: String(path[0] ?? ""), rule: code, message })),
    );
  checkTogether(parsed.data);
  return parsed.data;
}
