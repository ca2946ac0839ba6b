import { readFileSync } from "node:fs";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { makeTraceToken as makeToken } from "@chappe/mesh/telemetry/trace-token.ts";

const hourMs = 3_600_000;
const maxHours = 24 * 7;

/**
 * The sub command `trace-token`: a token with which a client's messages are traced for some hours, by the key in the file
 * that CHAPPE_TRACE_KEY_FILE names.
 */
export function makeTraceToken(
  [flag, value, ...rest]: readonly string[],
  { CHAPPE_TRACE_KEY_FILE: keyFile }: Readonly<Record<string, string | undefined>>,
): string {
  const hours = flag === undefined ? 1 : Number(value);
  const isFlag = flag === undefined || flag === "--hours";
  if (!isFlag || rest.length > 0 || !(hours > 0 && hours <= maxHours))
    throw new ChappeError("INVALID_ARGUMENT", `usage: trace-token [--hours 1..${maxHours}]`);
  if (keyFile === undefined) throw new ChappeError("INVALID_ARGUMENT", "CHAPPE_TRACE_KEY_FILE names no key file");
  try {
    return makeToken(readFileSync(keyFile), Date.now() + hours * hourMs);
  } catch (cause) {
    throw new ChappeError("INVALID_ARGUMENT", `CHAPPE_TRACE_KEY_FILE: ${keyFile} cannot be read`, { cause });
  }
}
