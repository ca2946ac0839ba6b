/** Speed of the packet codec against protobuf-es in the same run. `node bench/codec.ts [--json]` */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { PacketBatchSchema, PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { appendPacket, createPacket, decodePacketBatch, encodePacketBatch } from "@chappe/mesh/codec/packet.ts";
import { createWriterPool } from "@chappe/mesh/codec/writer-pool.ts";

const batchPackets = 16;
const payloadBytes = 150;
/** Each candidate runs so often for so long, in turn; the best round counts. */
const rounds = 5;
const roundMs = 300;

/** Packets a second of one way to do the work. */
interface Row {
  readonly name: string;
  readonly packetsPerSecond: number;
}

const fields = Array.from({ length: batchPackets }, (_, i) => ({
  kind: PacketKind.REQUEST,
  svid: 10,
  cmd: 1,
  id: 1_000 + i,
  affinity: new Uint8Array(16).fill(i),
  payload: new Uint8Array(payloadBytes).fill(i),
}));
const packets = fields.map(createPacket);
const message = create(PacketBatchSchema, { packets: fields });
const bytes = encodePacketBatch(packets);
const pool = createWriterPool();

/** Each answers a number that depends on its work, so that none of it can be left out. */
const candidates: Readonly<Record<string, () => number>> = {
  "encode, pooled writer": () => {
    const writer = pool.take();
    for (const packet of packets) appendPacket(writer, packet);
    const length = writer.view().length;
    pool.give(writer);
    return length;
  },
  "encode, exact buffer": () => encodePacketBatch(packets).length,
  "encode, protobuf-es": () => toBinary(PacketBatchSchema, message).length,
  "create, encode, protobuf-es": () =>
    toBinary(PacketBatchSchema, create(PacketBatchSchema, { packets: fields })).length,
  decode: () => sum(decodePacketBatch(bytes)),
  "decode, protobuf-es": () => sum(fromBinary(PacketBatchSchema, bytes).packets),
};

function sum(decoded: readonly { id: number; payload: Uint8Array }[]): number {
  let total = 0;
  for (const packet of decoded) total += packet.id + packet.payload.length;
  return total;
}

function measure(run: () => number): number {
  const start = performance.now();
  let batches = 0;
  let check = 0;
  let elapsedMs = 0;
  while (elapsedMs < roundMs) {
    for (let i = 0; i < 100; i++) check += run();
    batches += 100;
    elapsedMs = performance.now() - start;
  }
  if (check === 0) throw new Error("nothing was done");
  return (batches * batchPackets * 1_000) / elapsedMs;
}

const best = new Map<string, number>();
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of Object.entries(candidates)) best.set(name, Math.max(best.get(name) ?? 0, measure(run)));
}
const rows: Row[] = [...best].map(([name, packetsPerSecond]) => ({
  name,
  packetsPerSecond: Math.round(packetsPerSecond),
}));
const speed = (name: string): number => best.get(name)!;
const ratio = (ours: string, theirs: string): number => Math.round((10 * speed(ours)) / speed(theirs)) / 10;
const ratios = {
  encodePooled: ratio("encode, pooled writer", "encode, protobuf-es"),
  encodeExact: ratio("encode, exact buffer", "encode, protobuf-es"),
  decode: ratio("decode", "decode, protobuf-es"),
};

if (process.argv.includes("--json")) {
  console.log(JSON.stringify({ bench: "codec", node: process.version, batchPackets, payloadBytes, rows, ratios }));
} else {
  console.log(`packets a second, ${batchPackets} packets of ${payloadBytes} bytes a batch, best of ${rounds} rounds`);
  for (const row of rows)
    console.log(`${row.name.padEnd(28)} ${row.packetsPerSecond.toLocaleString("en").padStart(12)}`);
  console.log(
    `times protobuf-es: encode pooled ${ratios.encodePooled}, exact ${ratios.encodeExact}, decode ${ratios.decode}`,
  );
}
