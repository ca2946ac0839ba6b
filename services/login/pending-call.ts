import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { MessageService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import type { Packet } from "@chappe/mesh/codec/packet.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits as meshLimits } from "@chappe/mesh/limits.ts";
import { authorize } from "@chappe/mesh/rpc/authorize.ts";
import { methodContractOf } from "@chappe/mesh/rpc/method-contracts.ts";
import { WheelTimer } from "@chappe/mesh/timers/timer-wheel.ts";
import type { Session } from "./session.ts";

const sendAddress = methodContractOf(MessageService.method.send);

/** A call of a client on its way; as a timer it is its own deadline, for a backend that never answers. */
class PendingCall extends WheelTimer {
  readonly #session: Session;
  readonly #id: number;
  /** Hops that end with the call. */
  readonly #hopsFrom: number;
  readonly #hopsTo: number;
  #answered = false;

  constructor(session: Session, id: number, hopsFrom: number) {
    super();
    this.#session = session;
    this.#id = id;
    this.#hopsFrom = hopsFrom;
    this.#hopsTo = session.context.hops.cursor;
    session.callsInFlight++;
  }

  onResponse(payload: Uint8Array): void {
    if (this.#settle(0)) this.#session.respond(this.#id, payload);
  }

  onError(error: unknown): void {
    if (this.#settle(ChappeError.from(error).row.number)) this.#session.respondError(this.#id, error);
  }

  override onTimer(): void {
    this.onError(new ChappeError("DEADLINE_EXCEEDED"));
  }

  #settle(error: number): boolean {
    if (this.#answered) return false;
    this.#answered = true;
    this.#session.context.wheel.cancel(this);
    this.#session.callsInFlight--;
    if (this.#hopsFrom < this.#hopsTo) this.#session.context.hops.end(this.#hopsFrom, this.#hopsTo, error);
    return true;
  }
}

/** Forwards a REQUEST to its backend and answers with the same id. The payload stays a view into the frame. */
export function forwardCall(session: Session, packet: Packet): void {
  const { contracts, router, limits, wheel, hops } = session.context;
  const identity = session.identity!;
  try {
    const contract = contracts.method(packet.svid, packet.cmd);
    // What registered is known to Routes only, and they ask again who may call it.
    if (contract !== undefined) authorize(contract.auth, identity);
    else if (packet.svid < meshLimits.firstFreeSvid) throw new ChappeError("UNKNOWN_METHOD");
    if (session.callsInFlight >= limits.maxCallsInFlightPerConnection)
      throw new ChappeError("OVERLOADED", "Too many calls of this connection are in flight.");
  } catch (error) {
    session.respondError(packet.id, error);
    return;
  }
  const timeoutMs = Math.min(packet.timeoutMs || limits.defaultCallTimeoutMs, limits.maxCallTimeoutMs);
  const { svid, cmd, payload, affinity } = packet;
  const hopsFrom = hops.cursor;
  const isSend = svid === sendAddress.svid && cmd === sendAddress.cmd;
  const traceContext = isSend
    ? hops.sendSeen(Hop.LOGIN_IN, payload, packet.traceContext, true, session.connectionId)
    : hops.admit(packet.traceContext);
  const pending = new PendingCall(session, packet.id, hopsFrom);
  wheel.schedule(pending, timeoutMs);
  const call = { svid, cmd, payload, identity, affinity, traceContext, deadlineMs: Date.now() + timeoutMs };
  // A router that throws at once must not take the other packets of the frame, or the process, with it.
  Promise.try(() => router.call(call)).then(
    (response) => pending.onResponse(response),
    (error: unknown) => pending.onError(error),
  );
}
