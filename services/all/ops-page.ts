import type { IncomingMessage, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { answerPlain } from "@chappe/mesh/lifecycle/answer-probe.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { createProcessFigures, type ProcessFigures } from "@chappe/mesh/telemetry/process-figures.ts";
import { findSlowMessages } from "@chappe/mesh/telemetry/slow-messages.ts";
import { type BuildPagesOptions, buildPages } from "./build-pages.ts";
import { type FailureSwitches, type SwitchName, switchNames } from "./failure-switches.ts";
import type { Telemetry } from "./open-telemetry.ts";
import type { ServeOps } from "./ops-pages.ts";
import { sendFile } from "./serve-other.ts";

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const files = new Map(
  ["index.html", "main.js", "main.js.map", "style.css", "icon.svg"].map((name) => [`/${name}`, name]),
);
files.set("/", "index.html");
const numericHost = /^(?:localhost|[\d.]+|\[[\da-fA-F:]+\])(?::\d+)?$/;

/** The ops page's source; it is made of files of the chat page too. */
export const opsPages: BuildPagesOptions = {
  source: pathOf("../../clients/web-chat/ops"),
  dependsOn: [pathOf("../../clients/web-chat/src")],
};

/** What createOpsPage needs. */
export interface OpsPageOptions {
  readonly telemetry: Telemetry;
  /** Undefined outside development mode: then nothing of them is served. */
  readonly switches?: FailureSwitches | undefined;
}

/** The page, its files and its JSON. */
export interface OpsPage {
  readonly serve: ServeOps;
  close(): void;
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader("content-type", "application/json");
  response.setHeader("cache-control", "no-store");
  response.setHeader("x-content-type-options", "nosniff");
  response.end(`${JSON.stringify(value)}\n`);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.maxOpsRequestBytes) return "";
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function readSwitch(body: string): { name: SwitchName; forMs: number } | undefined {
  try {
    const { name, forMs } = JSON.parse(body) as { name?: unknown; forMs?: unknown };
    const known = switchNames.find((one) => one === name);
    return known !== undefined && typeof forMs === "number" && forMs >= 0 ? { name: known, forMs } : undefined;
  } catch {
    return undefined;
  }
}

/** Only the page itself may: another site can neither send JSON here unasked, nor name a host of its own. */
const isOfPage = ({ headers }: IncomingMessage): boolean =>
  headers["content-type"] === "application/json" && headers.origin === `http://${headers.host ?? ""}`;

async function answerSwitch(switches: FailureSwitches, request: IncomingMessage, response: ServerResponse) {
  if (!isOfPage(request)) return answerPlain(response, 403, "only the ops page may do this");
  const wanted = readSwitch(await readBody(request));
  if (wanted === undefined) return answerPlain(response, 400, `name (${switchNames.join(", ")}) and forMs are needed`);
  switches.set(wanted.name, wanted.forMs);
  sendJson(response, switches.states());
}

function readStats({ telemetry, switches }: OpsPageOptions, own: ProcessFigures) {
  const { live, instanceId, metrics } = telemetry;
  return {
    instance: instanceId,
    timeMs: Date.now(),
    // Its own reading: asking must not shorten what /metrics tells since it was asked.
    figures: { ...metrics.roleFigures(), process: own.read() },
    slow: live === undefined ? [] : findSlowMessages(live.ring),
    ...(switches && { switches: switches.states() }),
  };
}

/** The ops page, built when it is first asked for. It answers to addresses alone, so that no name can be pointed at it. */
export function createOpsPage(options: OpsPageOptions): OpsPage {
  const { switches } = options;
  let own: ProcessFigures | undefined;
  const sendStats = (response: ServerResponse): void => {
    own ??= createProcessFigures();
    sendJson(response, readStats(options, own));
  };
  let built: Promise<string> | undefined;
  const sendPage = async (name: string, response: ServerResponse): Promise<void> => {
    built ??= buildPages(opsPages);
    await sendFile(await built, name, response);
  };
  const failed = (response: ServerResponse) => (): void => {
    built = undefined;
    answerPlain(response, 500, "it failed; see the log");
  };
  const serve: ServeOps = (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://ops");
    const file = files.get(pathname);
    const isSwitch = pathname === "/ops/switch" && switches !== undefined;
    if (file === undefined && pathname !== "/ops/stats.json" && !isSwitch) return false;
    if (!numericHost.test(request.headers.host ?? "")) answerPlain(response, 403, "ask by address");
    else if (isSwitch && request.method === "POST") answerSwitch(switches, request, response).catch(failed(response));
    else if (request.method !== "GET") answerPlain(response, 405, "GET it");
    else if (file !== undefined) sendPage(file, response).catch(failed(response));
    else sendStats(response);
    return true;
  };
  return { serve, close: () => own?.close() };
}
