import type { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import type { TracedMessage } from "../codec/traced-message.ts";
import type { Delivery } from "../rpc/delivery.ts";
import type { ClientSpanFields } from "./client-hop.ts";
import type { EngineCall } from "./engine-calls.ts";

/** A message as hops know it. */
export interface HopMessage {
  readonly clientMessageId: Uint8Array;
  readonly conversationId: Uint8Array;
}

/** A run of messages as hops know it; what has no seq is no message and leaves no hop. */
export interface HopRun {
  readonly conversationId?: Uint8Array;
  readonly firstSeq?: number;
  readonly lastSeq?: number;
  /** Instead of lastSeq. */
  readonly count?: number;
  readonly traced?: readonly TracedMessage[];
}

/**
 * What roles say of the messages that pass them. Each call writes entries into a ring and answers at once; nothing is made
 * per message unless it is traced. A hop that takes time is begun by one call, whose entries go from `cursor` before it to
 * `cursor` after it, and ended by `end`.
 */
export interface Hops {
  /** Place of the next entry. */
  readonly cursor: number;
  /** Whether spans of clients are wanted. */
  readonly takesClientSpans: boolean;
  /** Unix milliseconds, finer than Date.now. */
  now(): number;
  /**
   * The messages of an encoded SendRequest come in. `context` is what came with the call; the answer is what goes on with it:
   * empty unless a message of it is traced. `fromClient` = the context is a client's and proves nothing. `connectionId` =
   * whom to ask for the span that such a context may name; 0n = nobody.
   */
  sendSeen(hop: Hop, payload: Uint8Array, context: Uint8Array, fromClient: boolean, connectionId?: bigint): Uint8Array;
  /** What goes on of a client's context with a call that is no Send: it decides nothing that the policy does not. */
  admit(context: Uint8Array): Uint8Array;
  /** The context for messages over HTTP, whose `context` is the client's: empty unless support asks for them. */
  support(context: Uint8Array): Uint8Array;
  /** The trace context for a message to be logged, empty when it is not traced; `context` is that of its call. */
  contextOf(message: HopMessage, fanOut: number, context: Uint8Array): Uint8Array;
  /** Messages of a conversation begin a hop; `isEntry` = no role of the mesh saw them before. One without an id is left out. */
  begin(
    hop: Hop,
    conversationId: Uint8Array,
    messages: readonly Pick<HopMessage, "clientMessageId">[],
    isEntry?: boolean,
  ): void;
  /** The entries from `place` up to `until` are over; `error` = number in the error registry. */
  end(place: number, until: number, error?: number): void;
  /** The context with which a sequenced message goes on: its own, or a new one when it is late. */
  sequencedContext(message: HopMessage, seq: number, context: Uint8Array, nowMs: number): Uint8Array;
  /** Messages have got their seq. */
  sequenced(rows: readonly (HopMessage & { readonly seq: number })[], startMs: number): void;
  /** Runs of messages have passed a hop. */
  passed(hop: Hop, runs: readonly HopRun[], startMs: number): void;
  /** PushServer knows who is where. */
  resolved(run: HopRun, devices: number, offline: number, startMs: number): void;
  /** Deliveries begin their way to one Login. */
  delivering(deliveries: readonly Delivery[], loginId: string): void;
  /** An encoded DeliverRequest passes Route on its way to a Login. */
  deliverSeen(payload: Uint8Array, loginId: string): void;
  /** Login has written a delivery to connections; answers the context for the packet. */
  delivered(delivery: Delivery, gone: number): void;
  /** The context of a push packet; empty when nothing in it is traced. */
  pushContext(delivery: Delivery): Uint8Array;
  /** A device has everything up to `seq`; `context` came with the acknowledgement. */
  acknowledged(conversationId: Uint8Array, seq: number, connectionId: bigint, context: Uint8Array): void;
  /**
   * An engine was called for these runs since `startMs`: remembered for those that are known to be traced, and for all when
   * it was slow. `error` = number in the error registry.
   */
  called(call: EngineCall, runs: Iterable<HopRun>, startMs: number, error?: number): void;
  /** The same for messages by their ids; without a context it is remembered whether they are traced or not. */
  calledFor(call: EngineCall, messages: readonly CallMessage[], startMs: number, error?: number): void;
  /** A client tells what it saw of a message; passed over unless it was asked, or had the message pushed with a context. */
  clientSpan(span: ClientSpanFields, connectionId: bigint): void;
}

/** A message for which an engine was called. */
export interface CallMessage {
  readonly clientMessageId: Uint8Array;
  /** Empty = it is not traced; undefined = nobody knows. */
  readonly traceContext?: Uint8Array;
}

const nothing = new Uint8Array(0);

/** Hops that nobody remembers. */
export const noHops: Hops = Object.freeze({
  cursor: 0,
  takesClientSpans: false,
  now: () => 0,
  sendSeen: (_hop: Hop, _payload: Uint8Array, context: Uint8Array) => context,
  admit: (context: Uint8Array) => context,
  support: () => nothing,
  contextOf: () => nothing,
  begin: () => {},
  end: () => {},
  sequencedContext: (_message: HopMessage, _seq: number, context: Uint8Array) => context,
  sequenced: () => {},
  passed: () => {},
  resolved: () => {},
  delivering: () => {},
  deliverSeen: () => {},
  delivered: () => {},
  pushContext: () => nothing,
  acknowledged: () => {},
  called: () => {},
  calledFor: () => {},
  clientSpan: () => {},
});
