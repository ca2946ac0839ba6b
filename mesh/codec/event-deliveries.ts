import type { Delivery } from "../rpc/delivery.ts";
import { ByteWriter } from "./byte-writer.ts";
import { noTraced, readTraced, tracedSize, writeTraced } from "./traced-message.ts";
import { emptyBytes, WireReader } from "./wire-reader.ts";
import { bytesFieldSize, delimitedSize, numberFieldSize, uint32FieldSize } from "./wire-size.ts";

const itemTag = 0x0a;
const tracedTag = 0x3a;
const idBytes = 8;

/** The field is absent when the payload holds one message. */
const firstSeqField = ({ firstSeq, lastSeq = 0 }: Delivery): number =>
  firstSeq === undefined || firstSeq === lastSeq ? 0 : firstSeq;

function deliverySize(delivery: Delivery): number {
  const { connectionIds, svid, cmd, payload, conversationId, lastSeq, traced = noTraced } = delivery;
  return (
    (connectionIds.length === 0 ? 0 : delimitedSize(connectionIds.length * idBytes)) +
    uint32FieldSize(svid) +
    uint32FieldSize(cmd) +
    bytesFieldSize(payload) +
    bytesFieldSize(conversationId ?? emptyBytes) +
    numberFieldSize(lastSeq ?? 0) +
    tracedSize(traced) +
    numberFieldSize(firstSeqField(delivery))
  );
}

/** chappe.edge.v1.DeliverRequest, encoded. */
export function encodeDeliveries(deliveries: readonly Delivery[]): Uint8Array {
  const writer = new ByteWriter();
  for (const delivery of deliveries) {
    const size = deliverySize(delivery);
    writer.reserve(delimitedSize(size));
    writer.head(itemTag, size);
    const { connectionIds } = delivery;
    if (connectionIds.length > 0) writer.head(0x0a, connectionIds.length * idBytes);
    for (const id of connectionIds) writer.fixed64(id);
    writer.numberField(0x10, delivery.svid);
    writer.numberField(0x18, delivery.cmd);
    writer.bytesField(0x22, delivery.payload);
    writer.bytesField(0x2a, delivery.conversationId ?? emptyBytes);
    writer.numberField(0x30, delivery.lastSeq ?? 0);
    writeTraced(writer, tracedTag, delivery.traced ?? noTraced);
    writer.numberField(0x40, firstSeqField(delivery));
  }
  return writer.finish();
}

function readIds(reader: WireReader, ids: bigint[]): void {
  const outer = reader.enter();
  while (reader.pos < reader.end) ids.push(reader.fixed64());
  reader.leave(outer);
}

function readDelivery(reader: WireReader): Delivery {
  const connectionIds: bigint[] = [];
  let svid = 0;
  let cmd = 0;
  let payload = emptyBytes;
  let conversationId = emptyBytes;
  let lastSeq = 0;
  let firstSeq = 0;
  let traced = noTraced;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x0a) readIds(reader, connectionIds);
    else if (tag === 0x09) connectionIds.push(reader.fixed64());
    else if (tag === 0x10) svid = reader.uint32();
    else if (tag === 0x18) cmd = reader.uint32();
    else if (tag === 0x22) payload = reader.view();
    else if (tag === 0x2a) conversationId = reader.view();
    else if (tag === 0x30) lastSeq = reader.number();
    else if (tag === tracedTag) traced = readTraced(reader, traced);
    else if (tag === 0x40) firstSeq = reader.number();
    else reader.skip(tag);
  }
  const event = { connectionIds, svid, cmd, payload };
  if (conversationId.length === 0 || lastSeq === 0) return event;
  const message = { ...event, conversationId, lastSeq, firstSeq: firstSeq === 0 ? lastSeq : firstSeq };
  return traced.length === 0 ? message : { ...message, traced };
}

/** Decodes a DeliverRequest; byte fields are views into `bytes`. MALFORMED_PAYLOAD when it is none. */
export function decodeDeliveries(bytes: Uint8Array): Delivery[] {
  const reader = new WireReader(bytes, "MALFORMED_PAYLOAD");
  const deliveries: Delivery[] = [];
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag !== itemTag) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    deliveries.push(readDelivery(reader));
    reader.leave(outer);
  }
  return deliveries;
}
