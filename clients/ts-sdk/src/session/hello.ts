import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type DeviceClass,
  HelloRequestSchema,
  type HelloResponse,
  HelloResponseSchema,
  SessionService,
} from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { methodAddress } from "../wire/addresses.ts";
import type { Connection } from "../wire/connection.ts";

const address = methodAddress(SessionService.method.hello)!;

/** Who says hello. */
export interface Introduction {
  readonly token: string;
  readonly deviceId: bigint;
  readonly deviceClass: DeviceClass;
  readonly agent: string;
  readonly invisible: boolean;
  /** From the last welcome; empty at first. */
  readonly resumeToken: Uint8Array;
}

/** Sends the first packet of a connection and answers the welcome. Rejects with the server's refusal. */
export async function sayHello(
  connection: Connection,
  introduction: Introduction,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<HelloResponse> {
  const payload = toBinary(HelloRequestSchema, create(HelloRequestSchema, introduction));
  const welcome = fromBinary(HelloResponseSchema, await connection.call({ ...address, payload, timeoutMs, signal }));
  if (welcome.maxFrameBytes > 0) connection.maxFrameBytes = welcome.maxFrameBytes;
  return welcome;
}
