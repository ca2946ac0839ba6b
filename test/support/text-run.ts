import { create, toBinary } from "@bufbuild/protobuf";
import { MessageContentSchema, MessageKind } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { ByteWriter } from "@chappe/mesh/codec/byte-writer.ts";
import { appendTaggedMessage } from "@chappe/mesh/codec/message-events.ts";
import type { MessageRun } from "@chappe/mesh/ports/message-store.ts";

/** Texts of user 7, each naming its seq, logged when `timeOf` says; for stores that are filled without a server. */
export function textRun(
  conversationId: Uint8Array,
  firstSeq: number,
  count: number,
  timeOf: (seq: number) => number,
): MessageRun {
  const writer = new ByteWriter();
  for (let seq = firstSeq; seq < firstSeq + count; seq++) {
    const text = create(MessageContentSchema, { kind: { case: "text", value: { text: `message ${seq}` } } });
    const clientMessageId = Buffer.alloc(16);
    clientMessageId.writeUInt32BE(seq, 12);
    const times = { sentTimeMs: timeOf(seq), loggedTimeMs: timeOf(seq) };
    const content = toBinary(MessageContentSchema, text);
    appendTaggedMessage(writer, { seq, senderId: 7n, clientMessageId, ...times, kind: MessageKind.USER, content });
  }
  return { conversationId, firstSeq, count, bytes: writer.finish() };
}
