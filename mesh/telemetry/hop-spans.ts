import { errorRegistry } from "@chappe/gen/errors.ts";
import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { isClientHop } from "./client-hop.ts";
import { type EngineSystems, engineCallShape, systemAttributeOf } from "./engine-calls.ts";
import type { HopRing } from "./hop-ring.ts";
import type { Match } from "./match-marks.ts";
import { partOfConnection, spanIdOf } from "./span-id.ts";
import { traceIdHex } from "./trace-context.ts";

/** What a span is to the trace, as OpenTelemetry names it. */
export type HopKind = "client" | "server" | "producer" | "consumer" | "internal";

/** A span made of an entry of the ring. */
export interface HopSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined = the first one of its trace. */
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: HopKind;
  /** A client tells of it. */
  readonly isOfClient: boolean;
  /** Unix milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Name in the error registry. */
  readonly error: string | undefined;
  /** Messages that shared the batch, and what the client sent along. */
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

const errorNames: ReadonlyMap<number, string> = new Map(
  Object.values(errorRegistry).map(({ number, name }) => [number, name]),
);

/** Flags of entries; a client has a span when it said so with the packet. */
export const hopFlags = { isEntry: 1, hasClientSpan: 2 } as const;

interface HopShape {
  readonly name: string;
  readonly kind: HopKind;
  /** The hop before it. */
  readonly after: Hop;
  readonly attributes: Readonly<Record<string, string>>;
}

const sendMethod = { "rpc.system.name": "chappe", "rpc.method": "chappe.msg.v1.MessageService/Send" };
const deliverMethod = { "rpc.system.name": "chappe", "rpc.method": "chappe.edge.v1.LoginService/Deliver" };
const onLog = (operation: string, destination: string) => ({
  "messaging.operation.name": operation,
  "messaging.operation.type": operation,
  "messaging.destination.name": destination,
});
/** The port whose call a hop is. */
const portsOf: Readonly<Partial<Record<Hop, keyof EngineSystems>>> = {
  [Hop.LOG_APPEND]: "log",
  [Hop.SEQUENCE]: "log",
  [Hop.COMMIT]: "store",
  [Hop.PUSH_APPEND]: "log",
  [Hop.RESOLVE]: "log",
};

const shapes: Readonly<Partial<Record<Hop, HopShape>>> = {
  [Hop.CLIENT_SEND]: { name: "client send", kind: "client", after: Hop.UNSPECIFIED, attributes: sendMethod },
  [Hop.LOGIN_IN]: { name: "login in", kind: "server", after: Hop.CLIENT_SEND, attributes: sendMethod },
  [Hop.ROUTE_UP]: { name: "route up", kind: "internal", after: Hop.LOGIN_IN, attributes: sendMethod },
  [Hop.AUTHORISE]: { name: "msg-proxy authorise", kind: "internal", after: Hop.ROUTE_UP, attributes: sendMethod },
  [Hop.LOG_APPEND]: {
    name: "send messages",
    kind: "producer",
    after: Hop.AUTHORISE,
    attributes: onLog("send", "messages"),
  },
  [Hop.SEQUENCE]: {
    name: "process messages",
    kind: "consumer",
    after: Hop.LOG_APPEND,
    attributes: onLog("process", "messages"),
  },
  [Hop.COMMIT]: {
    name: "msg-writer commit",
    kind: "client",
    after: Hop.SEQUENCE,
    attributes: { "db.operation.name": "commit", "db.collection.name": "messages" },
  },
  [Hop.PUSH_APPEND]: { name: "send push", kind: "producer", after: Hop.SEQUENCE, attributes: onLog("send", "push") },
  [Hop.RESOLVE]: {
    name: "process push",
    kind: "consumer",
    after: Hop.PUSH_APPEND,
    attributes: onLog("process", "push"),
  },
  [Hop.OFFLINE]: { name: "push offline", kind: "internal", after: Hop.RESOLVE, attributes: {} },
  [Hop.PUSH_WORKER]: { name: "push-worker deliver", kind: "client", after: Hop.RESOLVE, attributes: deliverMethod },
  [Hop.ROUTE_DOWN]: { name: "route down", kind: "internal", after: Hop.PUSH_WORKER, attributes: deliverMethod },
  [Hop.LOGIN_OUT]: { name: "login out", kind: "server", after: Hop.ROUTE_DOWN, attributes: deliverMethod },
  [Hop.DEVICE_RECEIVE]: { name: "device receive", kind: "consumer", after: Hop.LOGIN_OUT, attributes: {} },
  [Hop.DEVICE_ACK]: { name: "device ack", kind: "server", after: Hop.DEVICE_RECEIVE, attributes: {} },
};

/** How a process sees the mesh. */
export interface SpanPlace {
  /** Whether deliveries come by way of a Route. */
  readonly hasRoute: boolean;
  readonly selfPart: number;
  readonly systems: EngineSystems;
}

const deviceHops: ReadonlySet<number> = new Set([Hop.DEVICE_PUSHED, Hop.DEVICE_RECEIVE, Hop.DEVICE_ACK]);
const peerHops: ReadonlySet<number> = new Set([Hop.PUSH_WORKER, Hop.ROUTE_DOWN, Hop.LOGIN_OUT, Hop.ENGINE_CALL]);

function partOf(ring: HopRing, at: number, hop: Hop): number {
  if (deviceHops.has(hop)) return partOfConnection(ring.connection[at]!);
  return peerHops.has(hop) ? ring.peer[at]! : 0;
}

function parentOf(ring: HopRing, { at, mark }: Match, hop: Hop, after: Hop, place: SpanPlace): string | undefined {
  const flags = ring.flags[at]!;
  if ((flags & hopFlags.isEntry) !== 0 || hop === Hop.CLIENT_SEND) return undefined;
  const { id } = mark;
  switch (hop) {
    case Hop.LOGIN_IN:
      return mark.askedOf === 0n ? undefined : spanIdOf(id, Hop.CLIENT_SEND);
    case Hop.DEVICE_RECEIVE:
      return spanIdOf(id, after, place.selfPart);
    case Hop.ROUTE_DOWN:
      return spanIdOf(id, after, ring.peer[at]!);
    case Hop.LOGIN_OUT:
      return spanIdOf(id, place.hasRoute ? after : Hop.PUSH_WORKER, ring.peer[at]!);
    case Hop.DEVICE_ACK:
      return mark.isPushTraced && (flags & hopFlags.hasClientSpan) !== 0
        ? spanIdOf(id, after, partOfConnection(ring.connection[at]!))
        : spanIdOf(id, Hop.LOGIN_OUT, place.selfPart);
    default:
      return spanIdOf(id, after);
  }
}

function attributesOf(ring: HopRing, at: number, hop: Hop): Record<string, string | number> {
  const attributes: Record<string, string | number> = {};
  if (ring.lastSeq[at]! > 0 && hop !== Hop.ENGINE_CALL) attributes["chappe.seq"] = ring.lastSeq[at]!;
  if (hop === Hop.RESOLVE || hop === Hop.LOGIN_OUT) attributes["chappe.devices"] = ring.count[at]!;
  if (hop === Hop.RESOLVE || hop === Hop.OFFLINE) attributes["chappe.offline_users"] = ring.offline[at]!;
  return attributes;
}

const keyOf = (hop: Hop, part: number): string => `${hop}/${part}`;

/** The key under which a span is exported once. */
export function spanKeyOf(ring: HopRing, at: number): string {
  const hop = ring.hop[at]! as Hop;
  return keyOf(hop, partOf(ring, at, hop));
}

/** The key of a hop of a client, or of a push to it. */
export function clientSpanKeyOf(hop: Hop, connectionId: bigint): string {
  return keyOf(hop, deviceHops.has(hop) ? partOfConnection(connectionId) : 0);
}

/** Undefined when the engine is memory. */
function callShapeOf(ring: HopRing, at: number, { systems }: SpanPlace): HopShape | undefined {
  const shape = engineCallShape(ring.peer[at]!);
  if (shape === undefined || systems[shape.port] === undefined) return undefined;
  const attributes = { ...shape.attributes, ...systemAttributeOf(systems, shape.port) };
  return { name: shape.name, kind: "client", after: shape.after, attributes };
}

/** The span of a match; undefined for hops that are no spans. `attempt` counts spans of the same key before it. */
export function toSpan(
  ring: HopRing,
  match: Match,
  { attempt, place, links }: { attempt: number; place: SpanPlace; links: HopSpan["links"] },
): HopSpan | undefined {
  const { at, mark } = match;
  const hop = ring.hop[at]! as Hop;
  const shape = hop === Hop.ENGINE_CALL ? callShapeOf(ring, at, place) : shapes[hop];
  if (shape === undefined) return undefined;
  const port = portsOf[hop];
  const system = port === undefined ? {} : systemAttributeOf(place.systems, port);
  const error = ring.error[at]!;
  const startMs = ring.startMs[at]!;
  return {
    traceId: traceIdHex(mark.id),
    spanId: spanIdOf(mark.id, hop, attempt === 0 ? partOf(ring, at, hop) : 0x8000_0000 + attempt),
    parentSpanId: parentOf(ring, match, hop, shape.after, place),
    name: shape.name,
    kind: shape.kind,
    isOfClient: isClientHop(hop),
    startMs,
    endMs: ring.endMs[at]! || startMs,
    attributes: { ...shape.attributes, ...system, ...attributesOf(ring, at, hop) },
    error: error === 0 ? undefined : errorNames.get(error),
    links,
  };
}
