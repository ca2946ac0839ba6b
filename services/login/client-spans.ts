import {
  type ClientSpan,
  ClientSpanKind,
  ReportSpansRequestSchema,
} from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import type { Packet } from "@chappe/mesh/codec/packet.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { noBytes } from "@chappe/mesh/rpc/call.ts";
import { toChappeError } from "@chappe/mesh/rpc/connect-errors.ts";
import { decode } from "./handshake.ts";
import type { Session } from "./session.ts";
import type { SessionContext } from "./session-context.ts";

/** When the next report of a session is due, so that a burst is taken and then so many a second; what is early is refused. */
function takeReport(session: Session): void {
  const { limits, wheel } = session.context;
  const intervalMs = 1_000 / limits.clientReportsPerSecond;
  const nowMs = wheel.now();
  const dueMs = Math.max(session.nextReportMs, nowMs);
  const waitMs = dueMs - nowMs - (limits.clientReportBurst - 1) * intervalMs;
  if (waitMs > 0)
    throw new ChappeError("RATE_LIMITED", "Too many reports of spans.", { retryAfterMs: Math.ceil(waitMs) });
  session.nextReportMs = dueMs + intervalMs;
}

function tell(
  { hops }: SessionContext,
  { kind, clientMessageId, startTimeMs, endTimeMs }: ClientSpan,
  of: bigint,
): void {
  const hop = kind === ClientSpanKind.SEND ? Hop.CLIENT_SEND : Hop.DEVICE_RECEIVE;
  hops.clientSpan({ hop, clientMessageId, startMs: startTimeMs, endMs: endTimeMs }, of);
}

/** Answers a report of spans. Never throws. */
export function answerReportSpans(session: Session, packet: Packet): void {
  const { context, connectionId } = session;
  try {
    takeReport(session);
    for (const span of decode(context, ReportSpansRequestSchema, packet).spans) tell(context, span, connectionId);
    session.respond(packet.id, noBytes);
  } catch (error) {
    session.respondError(packet.id, toChappeError(error));
  }
}
