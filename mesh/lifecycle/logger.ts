import { AsyncLocalStorage } from "node:async_hooks";
import { destination, pino } from "pino";
import { type LogIds, logIdsOf } from "../telemetry/trace-context.ts";

/** Writes one JSON object a line. Never given message bodies, tokens or passwords. */
export interface Logger {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
  /**
   * Runs something for a message or call; `traceContext` is a W3C traceparent. When it is sampled, all lines that are written
   * meanwhile, also after waits in it, have its `trace_id` and `span_id`.
   */
  within<T>(traceContext: Uint8Array, run: () => T): T;
}

/** What is written at least. */
export const logLevels = ["info", "warn", "error", "silent"] as const;

/** One of logLevels. */
export type LogLevel = (typeof logLevels)[number];

/** The logger of a process. */
export interface ProcessLogger extends Logger {
  /** May be set at any time. */
  level: LogLevel;
}

/** Should one of these come as a field all the same, its value is not written. */
const secretFields = ["token", "accessToken", "refreshToken", "password", "secret", "authorization", "body", "content"];

const plain = (value: unknown): unknown => {
  if (value instanceof Error)
    return { name: value.name, message: value.message, stack: value.stack, cause: plain(value.cause) };
  return typeof value === "bigint" ? value.toString() : value;
};

/** A logger on a line sink, stderr unless given. JSON escapes control characters, so a field cannot forge a line. */
export function createLogger(write?: (line: string) => void): ProcessLogger {
  const ids = new AsyncLocalStorage<LogIds>();
  const stream = write === undefined ? destination({ dest: 2, sync: true }) : { write };
  const options = {
    base: null,
    messageKey: "event",
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: () => ({ ...ids.getStore() }),
    redact: { paths: secretFields.flatMap((name) => [name, `*.${name}`]), censor: "[redacted]" },
  };
  const log = pino(options, stream);
  const fieldsOf = (fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> =>
    Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(value)]));
  return {
    info: (event, fields) => log.info(fieldsOf(fields), event),
    warn: (event, fields) => log.warn(fieldsOf(fields), event),
    error: (event, fields) => log.error(fieldsOf(fields), event),
    within(traceContext, run) {
      const found = logIdsOf(traceContext);
      return found === undefined ? run() : ids.run(found, run);
    },
    get level() {
      return log.level as LogLevel;
    },
    set level(level) {
      log.level = level;
    },
  };
}

/** A logger that says nothing. */
export const silentLogger: Logger = Object.freeze({
  info: () => {},
  warn: () => {},
  error: () => {},
  within: <T>(_context: Uint8Array, run: () => T) => run(),
});
