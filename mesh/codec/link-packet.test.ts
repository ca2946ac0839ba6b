import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type Caller_Kind,
  CallerSchema,
  LinkPacketSchema,
  OpenRequestSchema,
} from "@chappe/gen/proto/chappe/mesh/v1/link_pb.ts";
import type { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Identity, internalIdentity, publicIdentity } from "../rpc/identity.ts";
import { ByteWriter } from "./byte-writer.ts";
import { appendGoingAway, appendLinkPacket, decodeLinkFrame, type LinkPacket } from "./link-packet.ts";
import { anyBytes, anyEnum, anyFixed64, anyUint32, verdict } from "./test-support/wire-arbitraries.ts";

const anyUser: fc.Arbitrary<Identity> = fc
  .record({
    userId: anyFixed64,
    sessionId: anyFixed64,
    deviceId: anyFixed64,
    connection: fc.option(fc.record({ loginId: fc.string({ minLength: 1 }), connectionId: anyFixed64 }), {
      nil: undefined,
    }),
  })
  .map(({ connection, ...ids }) => ({ kind: "user" as const, ...ids, ...(connection && { connection }) }));

const anyPacket: fc.Arbitrary<LinkPacket> = fc.record({
  kind: anyEnum,
  svid: anyUint32,
  cmd: anyUint32,
  id: anyUint32,
  affinity: anyBytes,
  timeoutMs: anyUint32,
  traceContext: anyBytes,
  caller: fc.oneof(fc.constant(internalIdentity), fc.constant(publicIdentity), anyUser),
  target: fc.string({ unit: "grapheme" }),
  clientAddress: fc.string(),
  payload: anyBytes,
});

function encode(packets: readonly LinkPacket[], goingAway: boolean): Uint8Array {
  const writer = new ByteWriter();
  for (const packet of packets) appendLinkPacket(writer, packet);
  if (goingAway) appendGoingAway(writer);
  return writer.finish();
}

const callerMessage = ({ kind, connection, userId, sessionId, deviceId }: Identity) => {
  if (kind === "public") return undefined;
  if (kind === "internal") return { kind: 2 as Caller_Kind };
  const at = { loginId: connection?.loginId ?? "", connectionId: connection?.connectionId ?? 0n };
  return { kind: 1 as Caller_Kind, userId, sessionId, deviceId, ...at };
};

test("encodes to the bytes of protobuf-es and back", () => {
  fc.assert(
    fc.property(fc.array(anyPacket, { maxLength: 4 }), fc.boolean(), (packets, goingAway) => {
      const messages = packets.map(({ caller, ...fields }) => {
        const packet: MessageInitShape<typeof LinkPacketSchema> = { ...fields, kind: fields.kind as PacketKind };
        const message = callerMessage(caller);
        return create(LinkPacketSchema, { ...packet, ...(message && { caller: create(CallerSchema, message) }) });
      });
      const bytes = encode(packets, goingAway);
      expect(bytes).toEqual(toBinary(OpenRequestSchema, create(OpenRequestSchema, { packets: messages, goingAway })));
      expect(decodeLinkFrame(bytes)).toEqual({ packets, goingAway });
    }),
  );
});

test("judges truncations like protobuf-es", () => {
  fc.assert(
    fc.property(anyPacket, (packet) => {
      const bytes = encode([packet], true);
      for (let end = 0; end <= bytes.length; end++) {
        const cut = bytes.slice(0, end);
        let isGood = true;
        try {
          fromBinary(OpenRequestSchema, cut);
        } catch {
          isGood = false;
        }
        expect(verdict("MALFORMED_FRAME", () => decodeLinkFrame(cut)) !== "rejected", `cut at ${end}`).toBe(isGood);
      }
    }),
    { numRuns: 30 },
  );
});

test("an answer without a caller is nobody's, never the mesh's", () => {
  const [packet] = decodeLinkFrame(Uint8Array.of(0x0a, 0x02, 0x08, 0x01)).packets;
  expect(packet?.caller).toBe(publicIdentity);
});
