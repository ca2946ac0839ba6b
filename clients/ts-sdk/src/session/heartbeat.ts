import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  HeartbeatRequestSchema,
  type HeartbeatResponse,
  HeartbeatResponseSchema,
  SessionService,
} from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { ChappeClientError } from "../client-error.ts";
import type { ClientLimits } from "../limits.ts";
import { type Stop, startTimer } from "../timers.ts";
import { methodAddress } from "../wire/addresses.ts";
import type { Connection } from "../wire/connection.ts";
import { closeCodeOfError } from "./close-policy.ts";
import type { GetToken } from "./token-source.ts";

const address = methodAddress(SessionService.method.heartbeat)!;

/** What the heartbeats of one connection need. */
export interface HeartbeatOptions {
  readonly connection: Connection;
  readonly limits: ClientLimits;
  readonly intervalMs: number;
  /** End of the token given in Hello, in the server's time. */
  readonly tokenExpiresTimeMs: number;
  readonly serverNowMs: () => number;
  readonly getToken: GetToken;
  readonly random: () => number;
  readonly onReply: (reply: HeartbeatResponse) => void;
  /** A fresh token was taken by the server. */
  readonly onToken: (token: string) => void;
}

/** Keeps one connection alive, finds out when it is dead, and puts a fresh token in before the old one ends. */
export function startHeartbeat(options: HeartbeatOptions): Stop {
  const { connection, limits, intervalMs } = options;
  let stopped = false;
  let stopBeat: Stop = () => {};
  let stopRefresh: Stop = () => {};

  const beat = async (token: string): Promise<void> => {
    stopBeat();
    try {
      const payload = toBinary(HeartbeatRequestSchema, create(HeartbeatRequestSchema, { token }));
      const reply = fromBinary(HeartbeatResponseSchema, await connection.call({ ...address, payload }));
      if (stopped) return;
      if (token !== "") options.onToken(token);
      options.onReply(reply);
      planRefresh(Number(reply.tokenExpiresTimeMs));
    } catch (error) {
      if (!stopped) connection.close(closeCodeOfError(ChappeClientError.from(error)), "heartbeat failed");
      return;
    }
    stopBeat();
    // Below the interval, so that the server's clock and the way there cannot make it late.
    stopBeat = startTimer(intervalMs * (0.7 + 0.2 * options.random()), () => void beat(""));
  };

  const refresh = async (): Promise<void> => {
    try {
      const token = await options.getToken("refresh");
      if (!stopped) await beat(token);
    } catch {
      // The old token holds a little longer; the server says when it does not.
      if (!stopped) stopRefresh = startTimer(Math.min(intervalMs, limits.retryMaxMs), () => void refresh());
    }
  };

  let plannedFor = 0;
  const planRefresh = (expiresTimeMs: number): void => {
    if (expiresTimeMs === plannedFor) return;
    plannedFor = expiresTimeMs;
    stopRefresh();
    const leftMs = expiresTimeMs - options.serverNowMs();
    const inMs = Math.max(leftMs * 0.8, leftMs - limits.tokenRefreshAheadMs);
    // Timers hold 31 bits.
    stopRefresh = startTimer(Math.min(Math.max(inMs, 0), 0x7fff_ffff), () => void refresh());
  };

  planRefresh(options.tokenExpiresTimeMs);
  stopBeat = startTimer(intervalMs * (0.3 + 0.6 * options.random()), () => void beat(""));
  return () => {
    stopped = true;
    stopBeat();
    stopRefresh();
  };
}
