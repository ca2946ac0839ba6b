import { crc32 } from "node:zlib";
import { toBinary } from "@bufbuild/protobuf";
import {
  type Message,
  type MessageContent,
  MessageContentSchema,
  MessageKind,
} from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import type { SeenMessage } from "../history/history-event.ts";

/** Checksum of a text, as in SeenMessage.body. */
export const textChecksum = (text: string): number => crc32(text);

function checksumOf(content: MessageContent | undefined): number {
  if (content === undefined) return -1;
  return content.kind.case === "text"
    ? textChecksum(content.kind.value.text)
    : crc32(toBinary(MessageContentSchema, content));
}

/** A message as the history keeps it. A placeholder for a damaged body has checksum -1: nobody sent that. */
export function seenMessage(message: Message): SeenMessage {
  return {
    seq: Number(message.seq),
    id: Buffer.from(message.clientMessageId).toString("hex"),
    sender: String(message.senderId),
    body: checksumOf(message.content),
    system: message.kind === MessageKind.SYSTEM,
  };
}
