import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";

/** What stands behind the ports of a process, as semantic conventions name it; undefined = memory, and no span. */
export interface EngineSystems {
  readonly log?: string;
  readonly store?: string;
  readonly window?: string;
  readonly presence?: string;
}

/** A call of a port that messages wait for, or that is made for them. Numbers are a part of span ids and never change. */
export const engineCalls = {
  /** MsgProxy: a record of the message log. */
  appendMessages: 1,
  /** MsgWriter: runs to the hot window. */
  appendWindow: 2,
  /** PushServer: who is where. */
  lookUpPresence: 3,
  /** MsgProxy: whether there is such a user, whether the sender is a member. */
  selectUsers: 4,
  selectMembers: 5,
  /** PushServer: the members of a group. */
  selectReaders: 6,
  /** MsgWriter: heads of conversations, settled sends of the same id. */
  selectHeads: 7,
  selectSends: 8,
} as const;

/** One of engineCalls. */
export type EngineCall = (typeof engineCalls)[keyof typeof engineCalls];

/** A span of a call. */
export interface EngineCallShape {
  readonly name: string;
  readonly port: keyof EngineSystems;
  /** The hop that it is a part of. */
  readonly after: Hop;
  readonly attributes: Readonly<Record<string, string>>;
}

function onStore(port: keyof EngineSystems, operation: string, collection: string, after: Hop): EngineCallShape {
  const attributes = { "db.operation.name": operation, "db.collection.name": collection };
  return { name: `${operation} ${collection}`, port, after, attributes };
}

const appendMessages: EngineCallShape = {
  name: "append messages",
  port: "log",
  after: Hop.LOG_APPEND,
  attributes: {
    "messaging.operation.name": "append",
    "messaging.operation.type": "send",
    "messaging.destination.name": "messages",
  },
};

const shapes: ReadonlyMap<number, EngineCallShape> = new Map<EngineCall, EngineCallShape>([
  [engineCalls.appendMessages, appendMessages],
  [engineCalls.appendWindow, onStore("window", "append", "hot-window", Hop.SEQUENCE)],
  [engineCalls.lookUpPresence, onStore("presence", "look-up", "presence", Hop.RESOLVE)],
  [engineCalls.selectUsers, onStore("store", "select", "users", Hop.AUTHORISE)],
  [engineCalls.selectMembers, onStore("store", "select", "members", Hop.AUTHORISE)],
  [engineCalls.selectReaders, onStore("store", "select", "readers", Hop.RESOLVE)],
  [engineCalls.selectHeads, onStore("store", "select", "heads", Hop.SEQUENCE)],
  [engineCalls.selectSends, onStore("store", "select", "sends", Hop.SEQUENCE)],
]);

/** The shape of a call by its number. */
export function engineCallShape(call: number): EngineCallShape | undefined {
  return shapes.get(call);
}

/** The attribute that names the system behind a port; empty when it is memory. */
export function systemAttributeOf(systems: EngineSystems, port: keyof EngineSystems): Readonly<Record<string, string>> {
  const system = systems[port];
  if (system === undefined) return {};
  return { [port === "log" ? "messaging.system" : "db.system.name"]: system };
}
