import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type FindHopsResponseSchema,
  Hop,
  type HopRecordSchema,
  type TraceMark,
  type TraceMarkSchema,
  type TraceService,
} from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { limits } from "../limits.ts";
import type { HopRing } from "./hop-ring.ts";
import type { LiveHops } from "./live-hops.ts";
import { type Mark, type MarkFields, Marks } from "./marks.ts";
import { matchMarks } from "./match-marks.ts";

/** Who a connection belongs to. */
export interface ConnectionOwner {
  readonly userId: bigint;
  readonly deviceId: bigint;
}

/** What createTraceService needs. */
export interface TraceServiceOptions {
  readonly live: LiveHops;
  readonly instanceId: string;
  /** Undefined when the connection is not open here. */
  readonly ownerOf: (connectionId: bigint) => ConnectionOwner | undefined;
}

/** A mark as it travels. */
export function toTraceMark({ id, conversation, seq }: Mark): MessageInitShape<typeof TraceMarkSchema> {
  return { clientMessageId: id, conversationHash: conversation, seq: BigInt(seq) };
}

/** A mark as it came. */
function fromTraceMark({ clientMessageId, conversationHash, seq }: TraceMark): MarkFields {
  return { id: clientMessageId, conversation: conversationHash, seq: Number(seq) };
}

function countOf(ring: HopRing, at: number, hop: Hop): number {
  if (hop === Hop.ENGINE_CALL) return ring.peer[at]!;
  return hop === Hop.RESOLVE || hop === Hop.LOGIN_OUT ? ring.count[at]! : 0;
}

function toRecord(
  ring: HopRing,
  at: number,
  { instanceId, ownerOf }: TraceServiceOptions,
): MessageInitShape<typeof HopRecordSchema> {
  const hop = ring.hop[at]! as Hop;
  const isOfDevice = hop === Hop.DEVICE_PUSHED || hop === Hop.DEVICE_RECEIVE || hop === Hop.DEVICE_ACK;
  const connectionId = isOfDevice ? ring.connection[at]! : 0n;
  const owner = connectionId === 0n ? undefined : ownerOf(connectionId);
  return {
    hop,
    instanceId,
    startTimeMs: ring.startMs[at]!,
    endTimeMs: ring.endMs[at]!,
    seq: BigInt(ring.lastSeq[at]!),
    connectionId,
    count: countOf(ring, at, hop),
    offline: hop === Hop.RESOLVE || hop === Hop.OFFLINE ? ring.offline[at]! : 0,
    error: ring.error[at]!,
    ...(owner && { userId: owner.userId, deviceId: owner.deviceId }),
  };
}

/** What the ring of this process says of a message. */
export function findHops(
  options: TraceServiceOptions,
  fields: MarkFields,
): MessageInitShape<typeof FindHopsResponseSchema> {
  const { live } = options;
  const marks = new Marks();
  const mark = marks.add(fields, live.now(), false);
  if (mark === undefined) return {};
  const matches = matchMarks(live.ring, marks, () => {}).slice(0, limits.maxFoundHops);
  return { hops: matches.map(({ at }) => toRecord(live.ring, at, options)), message: toTraceMark(mark) };
}

/** TraceService of a process. */
export function createTraceService(options: TraceServiceOptions): ServiceImpl<typeof TraceService> {
  return {
    async mark({ marks }) {
      options.live.markFromElsewhere(marks.map(fromTraceMark));
      return {};
    },
    findHops: async ({ message }) => findHops(options, fromTraceMark(message!)),
  };
}
