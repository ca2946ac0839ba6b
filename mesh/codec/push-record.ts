/** PushRecord, PushEntry and MembershipChange of chappe.mesh.v1: records of the push log. */
import { type ByteWriter, encodeExact } from "./byte-writer.ts";
import { noTraced, readTraced, type TracedMessage, tracedSize, writeTraced } from "./traced-message.ts";
import { emptyBytes, WireReader } from "./wire-reader.ts";
import {
  boolFieldSize,
  bytesFieldSize,
  delimitedSize,
  fixed64FieldSize,
  numberFieldSize,
  uint32FieldSize,
} from "./wire-size.ts";

/** chappe.mesh.v1.MembershipChange. */
export interface MembershipChange {
  readonly userId: bigint;
  /** True = joined at the record's seq, false = left at it. */
  readonly joined: boolean;
  /** chappe.msg.v1.MemberRole after the change. */
  readonly role: number;
}

/** chappe.mesh.v1.PushEntry. The byte fields of a decoded entry are views into the record: copy what outlives it. */
export interface PushEntry {
  /** 16 bytes; empty when `userIds` is set. */
  readonly conversationId: Uint8Array;
  readonly userIds: readonly bigint[];
  /** 0 = all devices. */
  readonly onlyDeviceId: bigint;
  /** 0 = nobody. */
  readonly exceptDeviceId: bigint;
  readonly svid: number;
  readonly cmd: number;
  /** The event, encoded. */
  readonly payload: Uint8Array;
  /** 0 = not a message. */
  readonly firstSeq: number;
  /** 0 = not a message. */
  readonly lastSeq: number;
  /** In order of seq. */
  readonly changes: readonly MembershipChange[];
  /** Skips every device of this user; 0 = nobody. */
  readonly exceptUserId: bigint;
  /** In order of seq. */
  readonly traced: readonly TracedMessage[];
}

/** A PushEntry to write; what is left out is absent on the wire. */
export type PushEntryFields = Pick<PushEntry, "svid" | "cmd" | "payload"> & Partial<PushEntry>;

const entriesTag = 0x0a;
const userIdTag = 0x11;
const userIdsPackedTag = 0x12;
const changesTag = 0x52;
const tracedTag = 0x62;
const fixed64Bytes = 8;
const noUserIds: readonly bigint[] = Object.freeze([]);
const noChanges: readonly MembershipChange[] = Object.freeze([]);

/** An encoded PushRecord. */
export function encodePushRecord(fields: readonly PushEntryFields[]): Uint8Array {
  const entries = fields.map(complete);
  const sizes = entries.map(entrySize);
  let size = 0;
  for (const entry of sizes) size += delimitedSize(entry);
  return encodeExact(size, (writer) => {
    for (let i = 0; i < entries.length; i++) {
      writer.head(entriesTag, sizes[i]!);
      writeEntry(writer, entries[i]!);
    }
  });
}

/**
 * Encoded PushRecords of these entries, in order, as few as go into `maxBytes` each. A record of one entry may be
 * longer: an entry is never cut.
 */
export function encodePushRecords(fields: readonly PushEntryFields[], maxBytes: number): Uint8Array[] {
  const records: Uint8Array[] = [];
  let from = 0;
  let bytes = 0;
  for (const [index, entry] of fields.entries()) {
    const size = delimitedSize(entrySize(complete(entry)));
    if (index > from && bytes + size > maxBytes) {
      records.push(encodePushRecord(fields.slice(from, index)));
      from = index;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < fields.length) records.push(encodePushRecord(from === 0 ? fields : fields.slice(from)));
  return records;
}

/** Decodes a PushRecord; byte fields are views into `bytes`. CORRUPT when it is none. */
export function decodePushRecord(bytes: Uint8Array): PushEntry[] {
  const reader = new WireReader(bytes, "CORRUPT");
  const entries: PushEntry[] = [];
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag !== entriesTag) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    entries.push(readEntry(reader));
    reader.leave(outer);
  }
  return entries;
}

function complete(fields: PushEntryFields): PushEntry {
  return {
    conversationId: fields.conversationId ?? emptyBytes,
    userIds: fields.userIds ?? noUserIds,
    onlyDeviceId: fields.onlyDeviceId ?? 0n,
    exceptDeviceId: fields.exceptDeviceId ?? 0n,
    svid: fields.svid,
    cmd: fields.cmd,
    payload: fields.payload,
    firstSeq: fields.firstSeq ?? 0,
    lastSeq: fields.lastSeq ?? 0,
    changes: fields.changes ?? noChanges,
    exceptUserId: fields.exceptUserId ?? 0n,
    traced: fields.traced ?? noTraced,
  };
}

function changeSize(change: MembershipChange): number {
  return fixed64FieldSize(change.userId) + boolFieldSize(change.joined) + uint32FieldSize(change.role);
}

function entrySize(entry: PushEntry): number {
  const users = entry.userIds.length;
  let size =
    bytesFieldSize(entry.conversationId) +
    (users === 0 ? 0 : delimitedSize(users * fixed64Bytes)) +
    fixed64FieldSize(entry.onlyDeviceId) +
    fixed64FieldSize(entry.exceptDeviceId) +
    uint32FieldSize(entry.svid) +
    uint32FieldSize(entry.cmd) +
    bytesFieldSize(entry.payload) +
    numberFieldSize(entry.firstSeq) +
    numberFieldSize(entry.lastSeq) +
    fixed64FieldSize(entry.exceptUserId) +
    tracedSize(entry.traced);
  for (const change of entry.changes) size += delimitedSize(changeSize(change));
  return size;
}

function writeEntry(writer: ByteWriter, entry: PushEntry): void {
  writer.bytesField(0x0a, entry.conversationId);
  if (entry.userIds.length > 0) {
    writer.head(userIdsPackedTag, entry.userIds.length * fixed64Bytes);
    for (const userId of entry.userIds) writer.fixed64(userId);
  }
  writer.fixed64Field(0x19, entry.onlyDeviceId);
  writer.fixed64Field(0x21, entry.exceptDeviceId);
  writer.numberField(0x28, entry.svid);
  writer.numberField(0x30, entry.cmd);
  writer.bytesField(0x3a, entry.payload);
  writer.numberField(0x40, entry.firstSeq);
  writer.numberField(0x48, entry.lastSeq);
  for (const change of entry.changes) {
    writer.head(changesTag, changeSize(change));
    writer.fixed64Field(0x09, change.userId);
    writer.boolField(0x10, change.joined);
    writer.numberField(0x18, change.role);
  }
  writer.fixed64Field(0x59, entry.exceptUserId);
  writeTraced(writer, tracedTag, entry.traced);
}

function readEntry(reader: WireReader): PushEntry {
  let conversationId = emptyBytes;
  let userIds = noUserIds;
  let onlyDeviceId = 0n;
  let exceptDeviceId = 0n;
  let svid = 0;
  let cmd = 0;
  let payload = emptyBytes;
  let firstSeq = 0;
  let lastSeq = 0;
  let changes = noChanges;
  let exceptUserId = 0n;
  let traced = noTraced;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x0a) conversationId = reader.view();
    else if (tag === userIdsPackedTag) userIds = readPacked(reader, userIds);
    else if (tag === userIdTag) userIds = added(userIds, reader.fixed64());
    else if (tag === 0x19) onlyDeviceId = reader.fixed64();
    else if (tag === 0x21) exceptDeviceId = reader.fixed64();
    else if (tag === 0x28) svid = reader.uint32();
    else if (tag === 0x30) cmd = reader.uint32();
    else if (tag === 0x3a) payload = reader.view();
    else if (tag === 0x40) firstSeq = reader.number();
    else if (tag === 0x48) lastSeq = reader.number();
    else if (tag === changesTag) changes = added(changes, readChange(reader));
    else if (tag === 0x59) exceptUserId = reader.fixed64();
    else if (tag === tracedTag) traced = readTraced(reader, traced);
    else reader.skip(tag);
  }
  return {
    conversationId,
    userIds,
    onlyDeviceId,
    exceptDeviceId,
    svid,
    cmd,
    payload,
    firstSeq,
    lastSeq,
    changes,
    exceptUserId,
    traced,
  };
}

/** `items` with `item` at its end; the shared empty array is replaced, any other one grows in place. */
function added<T>(items: readonly T[], item: T): readonly T[] {
  if (items.length === 0) return [item];
  (items as T[]).push(item);
  return items;
}

function readPacked(reader: WireReader, before: readonly bigint[]): readonly bigint[] {
  const outer = reader.enter();
  let userIds = before;
  while (reader.pos < reader.end) userIds = added(userIds, reader.fixed64());
  reader.leave(outer);
  return userIds;
}

function readChange(reader: WireReader): MembershipChange {
  let userId = 0n;
  let joined = false;
  let role = 0;
  const outer = reader.enter();
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x09) userId = reader.fixed64();
    else if (tag === 0x10) joined = reader.bool();
    else if (tag === 0x18) role = reader.uint32();
    else reader.skip(tag);
  }
  reader.leave(outer);
  return { userId, joined, role };
}
