/** Encodings of chappe.msg.v1 that the server makes without decoding a message's content. */
import { type ByteWriter, encodeExact } from "./byte-writer.ts";
import { WireReader } from "./wire-reader.ts";
import { bytesFieldSize, delimitedSize, enumFieldSize, fixed64FieldSize, numberFieldSize } from "./wire-size.ts";

/** chappe.msg.v1.Message in parts. */
export interface MessageParts {
  readonly seq: number;
  readonly senderId: bigint;
  readonly clientMessageId: Uint8Array;
  /** Unix milliseconds. */
  readonly sentTimeMs: number;
  /** Unix milliseconds. */
  readonly loggedTimeMs: number;
  /** chappe.msg.v1.MessageKind. */
  readonly kind: number;
  /** An encoded chappe.msg.v1.MessageContent; undefined = the message has none. */
  readonly content: Uint8Array | undefined;
}

/** Where one message lies in tagged bytes. */
export interface MessageSpan {
  readonly seq: number;
  /** Of its tag byte: spans of neighbours touch, and bytes.subarray(start, end) is again tagged bytes. */
  readonly start: number;
  readonly end: number;
}

/** chappe.msg.v1.SettledSend. */
export interface SettledSend {
  readonly clientMessageId: Uint8Array;
  readonly seq: number;
  /** chappe.msg.v1.SendOutcome. */
  readonly outcome: number;
  /** Unix milliseconds. */
  readonly loggedTimeMs: number;
}

/** chappe.msg.v1.ListMessagesResponse in parts. */
export interface MessagePage {
  readonly conversationId: Uint8Array;
  /** Tagged messages, see appendTaggedMessage, in order of seq. */
  readonly runs: readonly Uint8Array[];
  /** Newest committed seq that the caller may read. */
  readonly headSeq: number;
  /** Oldest seq that the caller may read. */
  readonly firstSeq: number;
}

const conversationIdTag = 0x0a;
/** Field 2 of MessageArrived, ListMessagesResponse and SendSettled. */
const itemsTag = 0x12;
const seqTag = 0x08;
const loggedTimeTag = 0x28;

/** Appends a Message behind tag 0x12 and its length, as in MessageRun.bytes. Makes its own room. */
export function appendTaggedMessage(writer: ByteWriter, message: MessageParts): void {
  const { content } = message;
  const size =
    numberFieldSize(message.seq) +
    fixed64FieldSize(message.senderId) +
    bytesFieldSize(message.clientMessageId) +
    numberFieldSize(message.sentTimeMs) +
    numberFieldSize(message.loggedTimeMs) +
    enumFieldSize(message.kind) +
    (content === undefined ? 0 : delimitedSize(content.length));
  writer.reserve(delimitedSize(size));
  writer.head(itemsTag, size);
  writer.numberField(seqTag, message.seq);
  writer.fixed64Field(0x11, message.senderId);
  writer.bytesField(0x1a, message.clientMessageId);
  writer.numberField(0x20, message.sentTimeMs);
  writer.numberField(loggedTimeTag, message.loggedTimeMs);
  writer.enumField(0x30, message.kind);
  if (content !== undefined) writer.delimited(0x3a, content);
}

/**
 * The messages of tagged bytes. Of each only the first seq is read; our encoder puts it in front. CORRUPT when the
 * bytes are not tagged messages.
 */
export function* walkTaggedMessages(bytes: Uint8Array): Generator<MessageSpan, void, undefined> {
  const reader = new WireReader(bytes, "CORRUPT");
  while (reader.pos < reader.end) {
    const start = reader.pos;
    if (!reader.take(itemsTag)) reader.fail("tagged messages hold another field");
    const outer = reader.enter();
    const seq = readSeq(reader);
    const end = reader.end;
    reader.pos = end;
    reader.leave(outer);
    yield { seq, start, end };
  }
}

/** When the first of tagged messages was logged, Unix milliseconds. CORRUPT when there is none, or it does not say. */
export function firstLoggedTimeMs(bytes: Uint8Array): number {
  const reader = new WireReader(bytes, "CORRUPT");
  if (!reader.take(itemsTag)) return reader.fail("tagged messages begin with another field");
  reader.enter();
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === loggedTimeTag) return reader.number();
    reader.skip(tag);
  }
  return reader.fail("a message without its time");
}

/** An encoded MessageArrived; `messages` are tagged messages. */
export function encodeMessageArrived(conversationId: Uint8Array, messages: Uint8Array): Uint8Array {
  return encodeExact(bytesFieldSize(conversationId) + messages.length, (writer) => {
    writer.bytesField(conversationIdTag, conversationId);
    writer.raw(messages);
  });
}

/** An encoded ListMessagesResponse. */
export function encodeMessagePage(page: MessagePage): Uint8Array {
  let size = bytesFieldSize(page.conversationId) + numberFieldSize(page.headSeq) + numberFieldSize(page.firstSeq);
  for (const run of page.runs) size += run.length;
  return encodeExact(size, (writer) => {
    writer.bytesField(conversationIdTag, page.conversationId);
    for (const run of page.runs) writer.raw(run);
    writer.numberField(0x18, page.headSeq);
    writer.numberField(0x20, page.firstSeq);
  });
}

/** An encoded SendSettled. */
export function encodeSendSettled(conversationId: Uint8Array, sends: readonly SettledSend[]): Uint8Array {
  let size = bytesFieldSize(conversationId);
  for (const send of sends) size += delimitedSize(settledSize(send));
  return encodeExact(size, (writer) => {
    writer.bytesField(conversationIdTag, conversationId);
    for (const send of sends) {
      writer.head(itemsTag, settledSize(send));
      writer.bytesField(0x0a, send.clientMessageId);
      writer.numberField(0x10, send.seq);
      writer.enumField(0x18, send.outcome);
      writer.numberField(0x20, send.loggedTimeMs);
    }
  });
}

function settledSize(send: SettledSend): number {
  return (
    bytesFieldSize(send.clientMessageId) +
    numberFieldSize(send.seq) +
    enumFieldSize(send.outcome) +
    numberFieldSize(send.loggedTimeMs)
  );
}

function readSeq(reader: WireReader): number {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === seqTag) return reader.number();
    reader.skip(tag);
  }
  return 0;
}
