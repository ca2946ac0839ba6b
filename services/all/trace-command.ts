import { parseArgs } from "node:util";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { TraceReport } from "@chappe/mesh/telemetry/trace-report.ts";

const usage = "trace <client message id> [--conversation ID] [--ops HOST:PORT] [--json]";

function showReport(report: TraceReport): string {
  const { messageId, state, reason, seq, hops, devices, stored, silent } = report;
  const lines = [
    `message ${messageId}: ${state}${reason === "" ? "" : ` (${reason})`}${seq > 0 ? `, seq ${seq}` : ""}`,
  ];
  for (const { afterMs, hop, tookMs, instance, note } of hops) {
    const took = tookMs === undefined ? "not over" : `${tookMs} ms`;
    lines.push(
      `  +${String(afterMs).padStart(9)} ms  ${hop.padEnd(19)} ${took.padStart(11)}  ${instance}  ${note}`.trimEnd(),
    );
  }
  for (const one of devices)
    lines.push(
      `  connection ${one.connectionId} user ${one.userId || "?"} device ${one.deviceId || "?"}: ${one.state}`,
    );
  if (stored !== undefined) lines.push(`  stored with seq ${stored.seq}, logged ${stored.loggedTime}`);
  for (const { userId, state: of } of stored?.members ?? []) lines.push(`  user ${userId}: ${of}`);
  if (silent > 0) lines.push(`  ${silent} processes did not answer`);
  return lines.join("\n");
}

/** The sub command `trace`: asks the ops port of any process of a mesh, or of the only one, where a message is. */
export async function runTraceCommand(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { conversation: { type: "string" }, ops: { type: "string" }, json: { type: "boolean", default: false } },
  });
  const [id, ...rest] = positionals;
  if (id === undefined || rest.length > 0) throw new ChappeError("INVALID_ARGUMENT", `usage: ${usage}`);
  const ops = values.ops ?? `127.0.0.1:${env.CHAPPE_OPS_PORT ?? ""}`;
  if (ops.endsWith(":")) throw new ChappeError("INVALID_ARGUMENT", "which process? Give --ops or CHAPPE_OPS_PORT");
  const query = new URLSearchParams({ id, ...(values.conversation && { conversation: values.conversation }) });
  const signal = AbortSignal.timeout(4 * limits.traceCallTimeoutMs);
  const response = await fetch(`http://${ops}/trace?${query}`, { signal }).catch((cause: unknown) => {
    throw new ChappeError("UNAVAILABLE", `the ops port ${ops} does not answer`, { cause });
  });
  const text = await response.text();
  if (!response.ok) throw new ChappeError("INVALID_ARGUMENT", text.trim());
  return values.json ? text.trim() : showReport(JSON.parse(text) as TraceReport);
}
