import { limits } from "../limits.ts";
import { type Identity, internalIdentity, publicIdentity } from "../rpc/identity.ts";
import { type ByteWriter, encodeExact } from "./byte-writer.ts";
import { emptyBytes, WireReader } from "./wire-reader.ts";
import { bytesFieldSize, delimitedSize, enumFieldSize, fixed64FieldSize, uint32FieldSize } from "./wire-size.ts";

/** chappe.mesh.v1.LinkPacket. The byte fields of a decoded packet are views into the frame. */
export interface LinkPacket {
  readonly kind: number;
  readonly svid: number;
  readonly cmd: number;
  readonly id: number;
  readonly affinity: Uint8Array;
  readonly timeoutMs: number;
  readonly traceContext: Uint8Array;
  /** Who calls; nobody in particular on answers. */
  readonly caller: Identity;
  /** Instance that must take the call; empty = any. */
  readonly target: string;
  /** Empty when it does not matter. */
  readonly clientAddress: string;
  readonly payload: Uint8Array;
}

/** What a frame holds besides its hello, which is read by other means. */
export interface LinkFrame {
  readonly packets: readonly LinkPacket[];
  readonly goingAway: boolean;
}

const packetsTag = 0x0a;
const goingAwayTag = 0x18;
const userKind = 1;
const internalKind = 2;
const internalCaller: Uint8Array = Uint8Array.of(0x08, internalKind);

/** Callers are few and call often: their bytes are made once. */
const callerBytes = new WeakMap<Identity, Uint8Array>();

const utf8 = (text: string): Uint8Array => (text === "" ? emptyBytes : Buffer.from(text, "utf8"));
const textOf = (bytes: Uint8Array): string =>
  bytes.length === 0 ? "" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");

function encodeUser({ userId, sessionId, deviceId, connection }: Identity): Uint8Array {
  const loginId = utf8(connection?.loginId ?? "");
  const connectionId = connection?.connectionId ?? 0n;
  const ids = fixed64FieldSize(userId) + fixed64FieldSize(sessionId) + fixed64FieldSize(deviceId);
  const size = enumFieldSize(userKind) + ids + bytesFieldSize(loginId) + fixed64FieldSize(connectionId);
  return encodeExact(size, (writer) => {
    writer.enumField(0x08, userKind);
    writer.fixed64Field(0x11, userId);
    writer.fixed64Field(0x19, sessionId);
    writer.fixed64Field(0x21, deviceId);
    writer.bytesField(0x2a, loginId);
    writer.fixed64Field(0x31, connectionId);
  });
}

/** chappe.mesh.v1.Caller, encoded; empty for nobody in particular. */
function encodeCaller(caller: Identity): Uint8Array {
  if (caller.kind === "internal") return internalCaller;
  if (caller.kind === "public") return emptyBytes;
  let bytes = callerBytes.get(caller);
  if (bytes === undefined) {
    bytes = encodeUser(caller);
    callerBytes.set(caller, bytes);
  }
  return bytes;
}

function readCaller(reader: WireReader): Identity {
  let kind = 0;
  let userId = 0n;
  let sessionId = 0n;
  let deviceId = 0n;
  let loginId = "";
  let connectionId = 0n;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x08) kind = reader.int32();
    else if (tag === 0x11) userId = reader.fixed64();
    else if (tag === 0x19) sessionId = reader.fixed64();
    else if (tag === 0x21) deviceId = reader.fixed64();
    else if (tag === 0x2a) loginId = textOf(reader.view());
    else if (tag === 0x31) connectionId = reader.fixed64();
    else reader.skip(tag);
  }
  if (kind === internalKind) return internalIdentity;
  if (kind !== userKind) return publicIdentity;
  const user = { kind: "user" as const, userId, sessionId, deviceId };
  return loginId === "" ? user : { ...user, connection: { loginId, connectionId } };
}

/** Appends a packet of a frame; a frame is nothing but such packets one after the other. */
export function appendLinkPacket(writer: ByteWriter, packet: LinkPacket): void {
  const caller = encodeCaller(packet.caller);
  const target = utf8(packet.target);
  const clientAddress = utf8(packet.clientAddress);
  const size =
    enumFieldSize(packet.kind) +
    uint32FieldSize(packet.svid) +
    uint32FieldSize(packet.cmd) +
    uint32FieldSize(packet.id) +
    bytesFieldSize(packet.affinity) +
    uint32FieldSize(packet.timeoutMs) +
    bytesFieldSize(packet.traceContext) +
    bytesFieldSize(caller) +
    bytesFieldSize(target) +
    bytesFieldSize(clientAddress) +
    bytesFieldSize(packet.payload);
  writer.reserve(delimitedSize(size));
  writer.head(packetsTag, size);
  writer.enumField(0x08, packet.kind);
  writer.numberField(0x10, packet.svid);
  writer.numberField(0x18, packet.cmd);
  writer.numberField(0x20, packet.id);
  writer.bytesField(0x2a, packet.affinity);
  writer.numberField(0x30, packet.timeoutMs);
  writer.bytesField(0x3a, packet.traceContext);
  writer.bytesField(0x42, caller);
  writer.bytesField(0x4a, target);
  writer.bytesField(0x52, clientAddress);
  writer.bytesField(0x7a, packet.payload);
}

/** Appends the sign that the sender takes no new calls. */
export function appendGoingAway(writer: ByteWriter): void {
  writer.reserve(2);
  writer.boolField(goingAwayTag, true);
}

/** Decodes a frame after the first. MALFORMED_FRAME when it is none or holds too many packets. */
export function decodeLinkFrame(bytes: Uint8Array): LinkFrame {
  const reader = new WireReader(bytes, "MALFORMED_FRAME");
  const packets: LinkPacket[] = [];
  let goingAway = false;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === packetsTag) {
      if (packets.length >= limits.maxLinkPacketsPerFrame) reader.fail("too many packets");
      const outer = reader.enter();
      packets.push(readPacket(reader));
      reader.leave(outer);
    } else if (tag === goingAwayTag) goingAway = reader.bool();
    else reader.skip(tag);
  }
  return { packets, goingAway };
}

function readPacket(reader: WireReader): LinkPacket {
  let kind = 0;
  let svid = 0;
  let cmd = 0;
  let id = 0;
  let affinity = emptyBytes;
  let timeoutMs = 0;
  let traceContext = emptyBytes;
  let caller = publicIdentity;
  let target = "";
  let clientAddress = "";
  let payload = emptyBytes;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x08) kind = reader.int32();
    else if (tag === 0x10) svid = reader.uint32();
    else if (tag === 0x18) cmd = reader.uint32();
    else if (tag === 0x20) id = reader.uint32();
    else if (tag === 0x2a) affinity = reader.view();
    else if (tag === 0x30) timeoutMs = reader.uint32();
    else if (tag === 0x3a) traceContext = reader.view();
    else if (tag === 0x42) {
      const outer = reader.enter();
      caller = readCaller(reader);
      reader.leave(outer);
    } else if (tag === 0x4a) target = textOf(reader.view());
    else if (tag === 0x52) clientAddress = textOf(reader.view());
    else if (tag === 0x7a) payload = reader.view();
    else reader.skip(tag);
  }
  return { kind, svid, cmd, id, affinity, timeoutMs, traceContext, caller, target, clientAddress, payload };
}
