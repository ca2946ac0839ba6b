import { errorRegistry } from "@chappe/gen/errors.ts";
import { Hop, type HopRecord } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { engineCallShape } from "./engine-calls.ts";

/** How far a message has come. */
export type MessageState =
  | "unknown"
  | "accepted"
  | "refused"
  | "durable"
  | "sequenced"
  | "offline"
  | "pushed"
  | "on device"
  | "read";

/** A pass through a role. */
export interface ReportedHop {
  readonly hop: string;
  readonly instance: string;
  /** ISO 8601. */
  readonly time: string;
  /** Since the first hop. */
  readonly afterMs: number;
  readonly tookMs: number | undefined;
  readonly note: string;
}

/** One connection that the message was for. */
export interface ReportedDevice {
  readonly connectionId: string;
  /** Empty when the connection is gone. */
  readonly userId: string;
  readonly deviceId: string;
  readonly state: "pushed" | "on device";
}

/** What stores say of a message. */
export interface StoredTrace {
  readonly seq: number;
  readonly loggedTime: string;
  /** How far each member of the conversation has got. */
  readonly members: readonly { readonly userId: string; readonly state: "not delivered" | "on device" | "read" }[];
}

/** Where a message is. */
export interface TraceReport {
  readonly messageId: string;
  readonly state: MessageState;
  /** Why it went no further; empty when it did not stop. */
  readonly reason: string;
  /** 0 = not known. */
  readonly seq: number;
  readonly hops: readonly ReportedHop[];
  readonly devices: readonly ReportedDevice[];
  readonly stored: StoredTrace | undefined;
  /** Processes that did not answer. */
  readonly silent: number;
}

/** What a report is made of. */
export interface ReportInput {
  readonly messageId: string;
  readonly hops: readonly HopRecord[];
  readonly stored: StoredTrace | undefined;
  readonly silent: number;
}

const hopNames: Readonly<Partial<Record<Hop, string>>> = {
  [Hop.CLIENT_SEND]: "client send",
  [Hop.LOGIN_IN]: "Login in",
  [Hop.ROUTE_UP]: "Route",
  [Hop.AUTHORISE]: "MsgProxy authorise",
  [Hop.LOG_APPEND]: "log append",
  [Hop.SEQUENCE]: "MsgWriter sequence",
  [Hop.COMMIT]: "MsgWriter commit",
  [Hop.PUSH_APPEND]: "push log append",
  [Hop.RESOLVE]: "PushServer resolve",
  [Hop.OFFLINE]: "offline",
  [Hop.PUSH_WORKER]: "PushWorker",
  [Hop.ROUTE_DOWN]: "Route down",
  [Hop.LOGIN_OUT]: "Login out",
  [Hop.DEVICE_PUSHED]: "pushed to device",
  [Hop.DEVICE_RECEIVE]: "device receive",
  [Hop.DEVICE_ACK]: "device ack",
};

const errorNameOf = (number: number): string =>
  Object.values(errorRegistry).find((row) => row.number === number)?.name ?? String(number);

function nameOf({ hop, count }: HopRecord): string {
  return (hop === Hop.ENGINE_CALL ? engineCallShape(count)?.name : hopNames[hop]) ?? String(hop);
}

function noteOf({ hop, seq, count, offline, error, connectionId }: HopRecord): string {
  if (error !== 0) return errorNameOf(error);
  if (hop === Hop.SEQUENCE) return `seq ${seq}`;
  if (hop === Hop.RESOLVE) return `${count} devices, ${offline} users offline`;
  if (hop === Hop.LOGIN_OUT) return `${count} connections`;
  return connectionId === 0n ? "" : `connection ${connectionId}`;
}

function devicesOf(hops: readonly HopRecord[]): ReportedDevice[] {
  const devices = new Map<bigint, ReportedDevice>();
  for (const { hop, connectionId, userId, deviceId } of hops) {
    if (hop !== Hop.DEVICE_PUSHED && hop !== Hop.DEVICE_ACK) continue;
    const known = devices.get(connectionId);
    const state = hop === Hop.DEVICE_ACK || known?.state === "on device" ? "on device" : "pushed";
    const owner = { userId: userId === 0n ? "" : String(userId), deviceId: deviceId === 0n ? "" : String(deviceId) };
    devices.set(connectionId, { connectionId: String(connectionId), ...owner, state });
  }
  return [...devices.values()];
}

/** The furthest state that the hops and the stores prove. */
function stateOf(hops: readonly HopRecord[], stored: StoredTrace | undefined): MessageState {
  const has = (hop: Hop): boolean => hops.some((one) => one.hop === hop && one.error === 0 && one.endTimeMs > 0);
  const isOfOthers = (state: string): boolean => stored?.members.some((member) => member.state === state) ?? false;
  if (isOfOthers("read")) return "read";
  if (has(Hop.DEVICE_ACK) || isOfOthers("on device")) return "on device";
  if (has(Hop.DEVICE_PUSHED) || has(Hop.LOGIN_OUT)) return "pushed";
  if (has(Hop.OFFLINE)) return "offline";
  if (has(Hop.SEQUENCE) || stored !== undefined) return "sequenced";
  if (has(Hop.LOG_APPEND)) return "durable";
  if (hops.some(({ error }) => error !== 0)) return "refused";
  return hops.length > 0 ? "accepted" : "unknown";
}

function reasonOf(state: MessageState, hops: readonly HopRecord[]): string {
  if (state === "unknown") return "no process remembers it, and no store has it";
  if (state === "refused") return errorNameOf(hops.find(({ error }) => error !== 0)!.error);
  if (state === "offline") return "no recipient has a device here; they get it when they are back";
  return "";
}

/** A report of hops in any order. */
export function makeReport({ messageId, hops, stored, silent }: ReportInput): TraceReport {
  const ordered = hops.toSorted((a, b) => a.startTimeMs - b.startTimeMs || a.hop - b.hop);
  const firstMs = ordered[0]?.startTimeMs ?? 0;
  const state = stateOf(ordered, stored);
  const round = (ms: number): number => Math.round(ms * 100) / 100;
  return {
    messageId,
    state,
    reason: reasonOf(state, ordered),
    seq: stored?.seq ?? Number(ordered.find(({ hop }) => hop === Hop.SEQUENCE)?.seq ?? 0n),
    hops: ordered.map((hop) => ({
      hop: nameOf(hop),
      instance: hop.instanceId,
      time: new Date(hop.startTimeMs).toISOString(),
      afterMs: round(hop.startTimeMs - firstMs),
      tookMs: hop.endTimeMs === 0 ? undefined : round(hop.endTimeMs - hop.startTimeMs),
      note: noteOf(hop),
    })),
    devices: devicesOf(ordered),
    stored,
    silent,
  };
}
