import { type Packet, packetSize } from "@chappe/mesh/codec/packet.ts";
import { delimitedSize } from "@chappe/mesh/codec/wire-size.ts";
import { WheelTimer } from "@chappe/mesh/timers/timer-wheel.ts";
import type { SessionContext } from "./session-context.ts";
import { Stall } from "./stall.ts";
import { type Outgoing, SharedPacket, type Transport } from "./transport.ts";

function sizeOf(outgoing: Outgoing): number {
  return outgoing instanceof SharedPacket ? outgoing.bytes.length : delimitedSize(packetSize(outgoing));
}

/**
 * The way out of a session: packets of one turn gather and leave as one frame; a slow client loses bodies first and the
 * connection later. A base class and not a part, to save an object per connection.
 */
export abstract class SessionOutput extends WheelTimer {
  readonly context: SessionContext;
  readonly transport: Transport;
  #first: Outgoing | undefined = undefined;
  #rest: Outgoing[] | undefined = undefined;
  #outBytes = 0;
  #dirty = false;
  #held = true;
  #dropping = false;
  #stall: Stall | undefined = undefined;

  constructor(context: SessionContext, transport: Transport) {
    super();
    this.context = context;
    this.transport = transport;
  }

  /** Over: nothing goes in or out any more. */
  abstract get ended(): boolean;

  /** The client does not read; ends the session. */
  abstract onTooSlow(): void;

  /** Bodies were dropped and there is room again: the client must be told to compare heads. */
  abstract onBodiesMissed(): void;

  /** Sends a packet at the end of this turn, together with the others of the turn. */
  send(outgoing: Outgoing): void {
    if (this.ended) return;
    const { limits, outbox } = this.context;
    if (this.#first === undefined) this.#first = outgoing;
    else if (this.#rest === undefined) this.#rest = [outgoing];
    else this.#rest.push(outgoing);
    this.#outBytes += sizeOf(outgoing);
    if (!this.#dirty && !this.#held) {
      this.#dirty = true;
      outbox.add(this);
    }
    const packets = 1 + (this.#rest?.length ?? 0);
    if (this.#outBytes <= limits.slowClientDropBytes && packets < limits.maxPacketsPerFrame) return;
    if (this.#held) this.#dropping = true;
    else this.flush();
  }

  /** Sends a push that is shared with others, unless it has bodies and the client is slow. */
  sendShared(shared: SharedPacket): void {
    if (this.#dropping && shared.hasBodies) this.context.stats.pushesDropped++;
    else this.send(shared);
  }

  /** Writes what has gathered as one frame. */
  flush(): void {
    this.#dirty = false;
    const first = this.#first;
    if (first === undefined || this.ended) return;
    const { stats, limits } = this.context;
    const rest = this.#rest;
    const bytes = this.#outBytes;
    this.dropOutput();
    stats.framesOut++;
    stats.packetsOut += 1 + (rest?.length ?? 0);
    stats.bytesOut += bytes;
    if (this.transport.writeFrame(first, rest, bytes)) return;
    this.#stall ??= new Stall(this);
    const waitingBytes = this.transport.waitingBytes;
    if (waitingBytes > limits.slowClientCloseBytes) this.onTooSlow();
    else if (waitingBytes > limits.slowClientDropBytes) this.#dropping = true;
  }

  /** Everything waiting has been taken. */
  onDrained(): void {
    this.#stall = undefined;
    if (!this.#dropping || this.ended) return;
    this.#dropping = false;
    this.onBodiesMissed();
  }

  /** `first` goes out now and before what was held back; nothing is held back from now on. */
  protected release(first: Packet): void {
    const held = this.#first;
    if (held !== undefined) this.#rest = [held, ...(this.#rest ?? [])];
    this.#first = first;
    this.#outBytes += sizeOf(first);
    this.#held = false;
    this.flush();
    if (this.#stall === undefined) this.onDrained();
  }

  /** Forgets what has gathered. */
  protected dropOutput(): void {
    this.#first = undefined;
    this.#rest = undefined;
    this.#outBytes = 0;
  }

  /** Nothing will be written any more. */
  protected closeOutput(): void {
    this.dropOutput();
    if (this.#stall !== undefined) this.context.wheel.cancel(this.#stall);
    this.#stall = undefined;
  }
}
