/** Writes one JSON object a line. Never given message bodies, tokens or passwords. */
export interface Logger {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

const plain = (value: unknown): unknown => {
  if (value instanceof Error)
    return { name: value.name, message: value.message, stack: value.stack, cause: plain(value.cause) };
  return typeof value === "bigint" ? value.toString() : value;
};

/** A logger on a line sink, stderr unless given. JSON escapes control characters, so a field cannot forge a line. */
export function createLogger(write: (line: string) => void = (line) => process.stderr.write(line)): Logger {
  const log = (level: string, event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    const values = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(value)]));
    write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...values })}\n`);
  };
  return {
    info: (event, fields) => log("info", event, fields),
    warn: (event, fields) => log("warn", event, fields),
    error: (event, fields) => log("error", event, fields),
  };
}

/** A logger that says nothing. */
export const silentLogger: Logger = Object.freeze({ info: () => {}, warn: () => {}, error: () => {} });
