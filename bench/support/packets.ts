import { ByteWriter } from "./byte-writer.ts";
import { ProtoReader } from "./proto-reader.ts";

/** Packet kinds of chappe.mesh.v1. */
export const packetKinds = { request: 1, response: 2, error: 3, push: 4, ack: 5 } as const;

/** Addresses (SVID, CMD) that the load needs, as in the contracts. */
export const addresses = {
  hello: { svid: 1, cmd: 1 },
  heartbeat: { svid: 1, cmd: 2 },
  headHint: { svid: 1, cmd: 101 },
  send: { svid: 10, cmd: 1 },
  getSend: { svid: 10, cmd: 2 },
  messageArrived: { svid: 10, cmd: 101 },
  sendSettled: { svid: 10, cmd: 102 },
  listMessages: { svid: 11, cmd: 1 },
  listRanges: { svid: 11, cmd: 2 },
  createGroup: { svid: 22, cmd: 1 },
  addMembers: { svid: 22, cmd: 2 },
  removeMembers: { svid: 22, cmd: 3 },
  listHeads: { svid: 23, cmd: 1 },
} as const;

/** Address of a method or event. */
export interface Address {
  readonly svid: number;
  readonly cmd: number;
}

const empty = new Uint8Array(0);

/** An encoded REQUEST packet. */
export function encodeRequest(address: Address, id: number, payload: Uint8Array, affinity: Uint8Array = empty): Buffer {
  const writer = new ByteWriter(payload.length + 64);
  writer.number(1, packetKinds.request).number(2, address.svid).number(3, address.cmd).number(4, id);
  if (affinity.length > 0) writer.bytes(5, affinity);
  return writer.bytes(15, payload).finish();
}

/** An encoded ACK packet: everything up to `seq` of each conversation is here. */
export function encodeAck(acks: Iterable<readonly [conversationId: Uint8Array, seq: number]>): Buffer {
  const list = new ByteWriter(64);
  for (const [conversationId, seq] of acks) {
    const item = new ByteWriter(32).bytes(1, conversationId).number(2, seq);
    list.bytes(1, item.view());
  }
  return new ByteWriter(list.length + 16).number(1, packetKinds.ack).bytes(15, list.view()).finish();
}

/** The fields of one packet; `start` and `end` say where the payload is. Reused from packet to packet. */
export class PacketView {
  kind = 0;
  svid = 0;
  cmd = 0;
  id = 0;
  start = 0;
  end = 0;
  readonly #reader = new ProtoReader();

  /** Reads a packet in place. */
  read(buffer: Buffer, start: number, end: number): this {
    const reader = this.#reader.reset(buffer, start, end);
    this.kind = this.svid = this.cmd = this.id = 0;
    this.start = this.end = end;
    while (reader.next()) {
      if (reader.field === 1) this.kind = reader.value;
      else if (reader.field === 2) this.svid = reader.value;
      else if (reader.field === 3) this.cmd = reader.value;
      else if (reader.field === 4) this.id = reader.value;
      else if (reader.field === 15) {
        this.start = reader.start;
        this.end = reader.end;
      }
    }
    return this;
  }

  /** Whether it is a push of this event. */
  isPush(address: Address): boolean {
    return this.kind === packetKinds.push && this.svid === address.svid && this.cmd === address.cmd;
  }
}

/** Calls back for every packet of a batch, in order. */
export function forEachPacket(
  buffer: Buffer,
  start: number,
  end: number,
  view: PacketView,
  onPacket: (packet: PacketView, buffer: Buffer) => void,
): void {
  const reader = new ProtoReader().reset(buffer, start, end);
  while (reader.next()) if (reader.field === 1) onPacket(view.read(buffer, reader.start, reader.end), buffer);
}
