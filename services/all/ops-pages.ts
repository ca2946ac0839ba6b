import type { IncomingMessage, ServerResponse } from "node:http";
import { answerPlain } from "@chappe/mesh/lifecycle/answer-probe.ts";
import { type LogLevel, logLevels, type ProcessLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { prometheusText } from "@chappe/mesh/telemetry/prometheus-text.ts";
import { findMessage } from "./find-message.ts";
import type { Telemetry } from "./open-telemetry.ts";

/** Answers a request when its path is one of theirs; false = it is not. */
export type ServeOps = (request: IncomingMessage, response: ServerResponse) => boolean;

const idBytes = 16;

/** 16 bytes as 32 hexadecimal digits, with or without dashes; undefined when it is something else. */
function idOf(text: string | null): Uint8Array | undefined {
  const digits = (text ?? "").replaceAll("-", "");
  return /^[0-9a-fA-F]{32}$/.test(digits) ? Buffer.from(digits, "hex").subarray(0, idBytes) : undefined;
}

async function answerTrace(telemetry: Telemetry, query: URLSearchParams, response: ServerResponse): Promise<void> {
  const id = idOf(query.get("id"));
  const conversation = query.get("conversation");
  const conversationId = idOf(conversation);
  if (id === undefined || (conversation !== null && conversationId === undefined)) {
    answerPlain(response, 400, "id and conversation are 32 hexadecimal digits each");
    return;
  }
  const report = await findMessage(telemetry, id, conversationId);
  response.setHeader("content-type", "application/json");
  response.end(`${JSON.stringify(report)}\n`);
}

const loopback = /^(?:::ffff:)?127\.|^::1$/;

function setLevel(logger: ProcessLogger, request: IncomingMessage, level: string, response: ServerResponse): void {
  if (!loopback.test(request.socket.remoteAddress ?? "")) answerPlain(response, 403, "from this machine only");
  else if (!logLevels.some((one) => one === level)) answerPlain(response, 400, `one of ${logLevels.join(", ")}`);
  else {
    logger.level = level as LogLevel;
    answerPlain(response, 200, level);
  }
}

/**
 * What the ops port serves besides probes: /metrics; /trace?id=...[&conversation=...], which says where a message is; and,
 * from this machine only, POST /log-level?level=...
 */
export function createServeOps(telemetry: Telemetry, logger: ProcessLogger): ServeOps {
  return (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://ops");
    if (request.method === "POST" && pathname === "/log-level") {
      setLevel(logger, request, searchParams.get("level") ?? "", response);
      return true;
    }
    if (request.method !== "GET") return false;
    if (pathname === "/metrics") {
      response.setHeader("content-type", "text/plain; version=0.0.4; charset=utf-8");
      response.end(prometheusText(telemetry.metrics.figures()));
      return true;
    }
    if (pathname !== "/trace") return false;
    answerTrace(telemetry, searchParams, response).catch(() => answerPlain(response, 500, "it failed; see the log"));
    return true;
  };
}
