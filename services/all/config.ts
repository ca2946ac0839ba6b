import { randomBytes } from "node:crypto";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { z } from "zod";
import { checkCorsOrigins } from "../http-edge/cors.ts";

const number = (text: string | undefined, fallback: number): unknown => (text === undefined ? fallback : Number(text));

const optionalNumber = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);

const port = z.int().min(0).max(65_535);

/** Roles that a process may have. */
const roleNames = ["core", "login", "route", "online"] as const;

const schema = z.strictObject({
  host: z.string().min(1),
  port,
  /** Further listeners of long connections; undefined = off, 0 = any free port. */
  tcpPort: port.optional(),
  grpcPort: port.optional(),
  udpPort: port.optional(),
  dataDirectory: z.string().min(1),
  devMode: z.boolean(),
  json: z.boolean(),
  argon2MemoryKib: z.int().min(8).max(1_048_576),
  argon2Passes: z.int().min(1).max(20),
  /** Attempts to sign in or refresh at once; undefined = limits.attemptBurst*. */
  authAttemptBurst: z.int().min(1).optional(),
  flushIntervalMs: z.int().min(1),
  minFreeBytes: z.int().min(0),
  sendsPerSecondPerUser: z.int().min(1),
  /** Long connections of one client address, at once and new ones a second; undefined = as in mesh/limits.ts. */
  connectionsPerAddress: z.int().min(1).optional(),
  connectsPerSecondPerAddress: z.int().min(1).optional(),
  /** Roles of this process; all of them = nothing else is needed. */
  roles: z.array(z.enum(roleNames)).min(1),
  /** Unique among the processes of a mesh. */
  instanceId: z.string().regex(/^[a-z0-9-]{1,40}$/),
  /** Where a Route listens for links. */
  linkHost: z.string().min(1),
  linkPort: port,
  /** Host under which the other processes reach this one. */
  advertiseHost: z.string().min(1),
  /** Routes to dial, "host:port" each, besides those of the Directory. */
  routes: z.array(z.string()),
  /** Redis nodes, "host:port" each; more than one = a cluster; none = presence and directory in memory. */
  redisAddresses: z.array(z.string()),
  linkSecretFile: z.string().min(1).optional(),
  /** JSON file with the identities that may register gRPC servers: [{ name, secret, svids }]. */
  backendsFile: z.string().min(1).optional(),
  /** Origins whose pages may call; "*" alone = every origin. */
  corsOrigins: z.array(z.string()),
});

/** Settings of one process that runs all roles. */
export type Config = z.infer<typeof schema>;

/** Whether this process needs no other: every role, presence and directory in memory. */
export const isWhole = ({ roles, redisAddresses }: Config): boolean =>
  roles.length === roleNames.length && redisAddresses.length === 0;

/** The items of a list with commas, empty ones left out. */
const listOf = (text: string | undefined): string[] =>
  (text ?? "").split(",").flatMap((item) => (item.trim() === "" ? [] : [item.trim()]));

const usage = `usage: npm start -- [--port N] [--host H] [--data DIR] [--tcp-port N] [--grpc-port N] [--udp-port N] [--json] [--no-dev]`;
const valueFlags = new Set(["--port", "--host", "--data", "--tcp-port", "--grpc-port", "--udp-port", "--roles"]);

/** Reads settings from arguments and CHAPPE_* of the environment. INVALID_ARGUMENT names what is wrong. */
export function readConfig(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Config {
  const values = new Map<string, string>();
  const flags = new Set<string>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--json" || arg === "--no-dev") flags.add(arg);
    else if (valueFlags.has(arg) && args[i + 1] !== undefined) values.set(arg, args[++i]!);
    else throw new ChappeError("INVALID_ARGUMENT", `unknown argument ${arg}\n${usage}`);
  }
  const parsed = schema.safeParse({
    host: values.get("--host") ?? env.CHAPPE_HOST ?? "127.0.0.1",
    port: number(values.get("--port") ?? env.CHAPPE_PORT, 8080),
    tcpPort: optionalNumber(values.get("--tcp-port") ?? env.CHAPPE_TCP_PORT),
    grpcPort: optionalNumber(values.get("--grpc-port") ?? env.CHAPPE_GRPC_PORT),
    udpPort: optionalNumber(values.get("--udp-port") ?? env.CHAPPE_UDP_PORT),
    dataDirectory: values.get("--data") ?? env.CHAPPE_DATA ?? ".chappe/data",
    devMode: !flags.has("--no-dev") && env.CHAPPE_DEV !== "0",
    json: flags.has("--json"),
    argon2MemoryKib: number(env.CHAPPE_ARGON2_MEMORY_KIB, 19_456),
    argon2Passes: number(env.CHAPPE_ARGON2_PASSES, 2),
    authAttemptBurst: optionalNumber(env.CHAPPE_AUTH_ATTEMPT_BURST),
    flushIntervalMs: number(env.CHAPPE_FLUSH_INTERVAL_MS, 500),
    minFreeBytes: number(env.CHAPPE_MIN_FREE_BYTES, 64 * 1024 * 1024),
    sendsPerSecondPerUser: number(env.CHAPPE_SENDS_PER_SECOND_PER_USER, 2_000),
    connectionsPerAddress: optionalNumber(env.CHAPPE_CONNECTIONS_PER_ADDRESS),
    connectsPerSecondPerAddress: optionalNumber(env.CHAPPE_CONNECTS_PER_SECOND_PER_ADDRESS),
    corsOrigins: listOf(env.CHAPPE_CORS_ORIGINS),
    roles: listOf(values.get("--roles") ?? env.CHAPPE_ROLES ?? roleNames.join()),
    instanceId: env.CHAPPE_INSTANCE_ID ?? `chappe-${process.pid}-${randomBytes(3).toString("hex")}`,
    linkHost: env.CHAPPE_LINK_HOST ?? "127.0.0.1",
    linkPort: number(env.CHAPPE_LINK_PORT, 0),
    advertiseHost: env.CHAPPE_ADVERTISE_HOST ?? "127.0.0.1",
    routes: listOf(env.CHAPPE_ROUTES),
    redisAddresses: listOf(env.CHAPPE_REDIS_ADDRESSES),
    linkSecretFile: env.CHAPPE_LINK_SECRET_FILE,
    backendsFile: env.CHAPPE_BACKENDS_FILE,
  });
  if (parsed.success) {
    checkCorsOrigins(parsed.data.corsOrigins);
    return parsed.data;
  }
  const violations = parsed.error.issues.map(({ path, message, code }) => ({
    field: path.join("."),
    rule: code,
    message,
  }));
  throw new ChappeError("INVALID_ARGUMENT", violations.map((v) => `${v.field}: ${v.message}`).join("; "), {
    violations,
  });
}
