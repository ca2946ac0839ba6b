import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  HeartbeatRequestSchema,
  HeartbeatResponseSchema,
  SessionService,
} from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import {
  GetSendRequestSchema,
  GetSendResponseSchema,
  MessageService,
  SendState,
} from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { ChappeClientError } from "../client-error.ts";
import type { ClientLimits } from "../limits.ts";
import type { Session } from "../session/session.ts";
import { fullJitterMs, pause } from "../timers.ts";
import type { Tracer } from "../tracing/tracer.ts";
import { methodAddress } from "../wire/addresses.ts";
import type { Frame } from "./frame.ts";
import type { PendingSend } from "./send-handle.ts";

const sendAddress = methodAddress(MessageService.method.send)!;
const heartbeatAddress = methodAddress(SessionService.method.heartbeat)!;
const getSendAddress = methodAddress(MessageService.method.getSend)!;

/** What the server knows of a send. */
export type Verdict =
  | { readonly kind: "seq"; readonly seq: number }
  | { readonly kind: "conflict"; readonly seq: number }
  /** Its body came to harm after it was taken; the seq holds a placeholder. */
  | { readonly kind: "unreadable"; readonly seq: number }
  /** It never came. */
  | { readonly kind: "none" }
  /** The server would not say. */
  | { readonly kind: "unknown"; readonly error: ChappeClientError }
  /** The send found its end while the server was asked. */
  | { readonly kind: "over" };

/** The calls of the outbox. */
export interface SendCalls {
  /** Sends the frame's bytes over the next connection. Rejects with ChappeClientError. */
  send(frame: Frame): Promise<void>;
  /** Asks until the server knows, however long that takes. Never rejects. */
  ask(send: PendingSend, signal: AbortSignal): Promise<Verdict>;
  /** What the server's clock says, in Unix milliseconds; undefined when it does not answer. */
  serverTimeMs(signal: AbortSignal): Promise<number | undefined>;
}

async function askTime(session: Pick<Session, "ready">, signal: AbortSignal): Promise<number> {
  const connection = await session.ready(signal);
  const payload = toBinary(HeartbeatRequestSchema, create(HeartbeatRequestSchema));
  const reply = await connection.call({ ...heartbeatAddress, payload, signal });
  return Number(fromBinary(HeartbeatResponseSchema, reply).serverTimeMs);
}

/** Calls over the session. */
export function createSendCalls(
  session: Pick<Session, "ready">,
  limits: ClientLimits,
  random: () => number,
  tracer?: Tracer,
): SendCalls {
  const askOnce = async (send: PendingSend, signal: AbortSignal): Promise<Verdict | undefined> => {
    const { conversationId, clientMessageId, content } = send;
    const request = create(GetSendRequestSchema, { conversationId, clientMessageId, content });
    const payload = toBinary(GetSendRequestSchema, request);
    const connection = await session.ready(signal);
    const answer = await connection.call({ ...getSendAddress, affinity: conversationId, payload, signal });
    const { state, seq } = fromBinary(GetSendResponseSchema, answer);
    if (state === SendState.SEQ) return { kind: "seq", seq: Number(seq) };
    if (state === SendState.CONFLICT) return { kind: "conflict", seq: Number(seq) };
    if (state === SendState.UNREADABLE) return { kind: "unreadable", seq: Number(seq) };
    return state === SendState.NONE ? { kind: "none" } : undefined;
  };
  return {
    async send(frame) {
      const { signal } = frame.over;
      const connection = await session.ready(signal);
      const { conversationId: affinity, clientMessageId } = frame.sends[0]!;
      const traceContext = tracer?.sendContext(clientMessageId);
      const call = { ...sendAddress, affinity, payload: frame.request, signal };
      await connection.call(traceContext === undefined ? call : { ...call, traceContext });
    },
    serverTimeMs: (signal) => askTime(session, signal).catch(() => undefined),
    async ask(send, signal) {
      for (let attempt = 0; !signal.aborted && send.open; attempt++) {
        let waitMs = Math.min(limits.notYetRetryMs * 2 ** Math.min(attempt, 10), limits.retryMaxMs);
        try {
          const verdict = await askOnce(send, signal);
          if (verdict !== undefined) return send.open ? verdict : { kind: "over" };
        } catch (thrown) {
          if (signal.aborted) break;
          const error = ChappeClientError.from(thrown);
          if (!error.retryable) return { kind: "unknown", error };
          waitMs = retryDelayMs(error, attempt, limits, random);
        }
        await pause(waitMs, signal);
      }
      return { kind: "over" };
    },
  };
}

/** How long to wait before a refused call is made again: what the server named, within bounds, and the client's backoff. */
export function retryDelayMs(
  error: ChappeClientError,
  attempt: number,
  limits: ClientLimits,
  random: () => number,
): number {
  const namedMs = Math.min(error.retryAfterMs, limits.maxRetryAfterMs);
  return namedMs + fullJitterMs(attempt, limits.retryBaseMs, limits.retryMaxMs, random);
}
