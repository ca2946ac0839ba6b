import { create } from "@bufbuild/protobuf";
import {
  type Message,
  type MessageContent,
  MessageContentSchema,
  MessageKind,
} from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";

/** A message of a conversation. */
export interface ReceivedMessage {
  readonly conversationId: Uint8Array;
  /** Place in the conversation: 1, 2, 3 ... */
  readonly seq: number;
  readonly senderId: bigint;
  /** UUIDv7 chosen by the sender. */
  readonly clientMessageId: Uint8Array;
  /** When the sender made it, in Unix milliseconds. */
  readonly sentTimeMs: number;
  /** When the server had it for good, in Unix milliseconds. */
  readonly loggedTimeMs: number;
  readonly kind: MessageKind;
  readonly content: MessageContent;
  /** The text, when it is one. */
  readonly text: string | undefined;
  /** Sent by the signed-in user, on any device. */
  readonly own: boolean;
}

/** The text of a content, when it is one. */
export function textOf(content: MessageContent): string | undefined {
  return content.kind.case === "text" ? content.kind.value.text : undefined;
}

/** A message of the wire as the application sees it. */
export function toReceived(conversationId: Uint8Array, message: Message, userId: bigint): ReceivedMessage {
  const content = message.content ?? create(MessageContentSchema);
  return {
    conversationId,
    seq: Number(message.seq),
    senderId: message.senderId,
    clientMessageId: Uint8Array.from(message.clientMessageId),
    sentTimeMs: Number(message.sentTimeMs),
    loggedTimeMs: Number(message.loggedTimeMs),
    kind: message.kind === MessageKind.UNSPECIFIED ? MessageKind.USER : message.kind,
    content,
    text: textOf(content),
    own: message.senderId === userId,
  };
}
