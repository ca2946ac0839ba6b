import { readFileSync } from "node:fs";
import { z } from "zod";
import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";

const port = z.int().min(1).max(65_535);
const address = z.string().regex(/^[^\s:]+:\d{1,5}$|^\[[\da-fA-F:]+\]:\d{1,5}$/, "must be host:port");

const schema = z.strictObject({
  /** Where clients come in. */
  host: z.union([z.ipv4(), z.ipv6()]).default("0.0.0.0"),
  port: port.default(8443),
  /** Long connections over TCP and UDP; absent = no such listener. */
  tcpPort: port.optional(),
  udpPort: port.optional(),
  /** On 127.0.0.1, always. */
  adminPort: port.default(9901),
  /** Absent = clear text, for tests and behind another proxy that ends TLS. */
  tls: z.strictObject({ certificateFile: z.string().min(1), keyFile: z.string().min(1) }).optional(),
  /** Proxies before Envoy whose X-Forwarded-For holds. */
  trustedHops: z.int().min(0).max(8).default(0),
  /** As the setting of the same name of Login. */
  corsOrigins: z.array(z.string()).max(limits.maxCorsOrigins).default([]),
  /** Client connections of all listeners together. */
  maxConnections: z.int().min(1).max(1_000_000).default(limits.maxProxyConnections),
  connectsPerSecond: z.int().min(1).default(limits.proxyConnectsPerSecond),
  requestsPerSecond: z.int().min(1).default(limits.proxyRequestsPerSecond),
  requestsPerSecondPerAddress: z.int().min(1).default(limits.proxyRequestsPerSecondPerAddress),
  udpSessions: z.int().min(1).default(limits.maxProxyUdpSessions),
  maxHeapBytes: z
    .int()
    .min(64 * 1024 * 1024)
    .default(limits.maxProxyHeapBytes),
  /** OTLP over gRPC, host:port; absent = no traces of Envoy's own. */
  otlpAddress: address.optional(),
  /** Percent of the requests whose trace Envoy begins itself. */
  traceSampling: z.number().min(0).max(100).default(100),
  /** Absent = standard output. */
  accessLogFile: z.string().min(1).optional(),
  /** Login processes of the static form; the dynamic form has them from the Directory. */
  logins: z
    .array(
      z.strictObject({
        http: z.array(address).min(1),
        grpc: address.optional(),
        tcp: z.array(address).default([]),
        udp: address.optional(),
      }),
    )
    .max(limits.maxProxyTargets)
    .default([]),
});

/** What an Envoy before Login is made from. */
export type EnvoySettings = z.infer<typeof schema>;

/** One Login process as Envoy sees it. */
export type LoginTargets = EnvoySettings["logins"][number];

/** Fills in what is left out. INVALID_ARGUMENT names what is wrong. */
export function parseEnvoySettings(value: unknown): EnvoySettings {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const violations = parsed.error.issues.map(({ path, code, message }) => ({
    field: path.join("."),
    rule: code,
    message,
  }));
  const text = violations.map(({ field, message }) => `${field}: ${message}`).join("; ");
  throw new ChappeError("INVALID_ARGUMENT", `settings of Envoy: ${text}`, { violations });
}

/** Reads a JSON file of settings. INVALID_ARGUMENT when it cannot be read, or names what is wrong with it. */
export function readEnvoySettings(path: string): EnvoySettings {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ChappeError("INVALID_ARGUMENT", `${path} cannot be read as JSON`, { cause });
  }
  return parseEnvoySettings(value);
}
