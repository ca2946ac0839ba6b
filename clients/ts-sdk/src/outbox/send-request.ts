import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type MessageContent,
  MessageContentSchema,
  TextContentSchema,
} from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { type OutgoingMessage, SendRequestSchema } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { invalidArgument } from "../client-error.ts";
import { idBytes } from "../ids.ts";

/** What to say: text, the application's own bytes, or a whole MessageContent. */
export type SendContent =
  | { readonly text: string; readonly replyToSeq?: number }
  | { readonly custom: { readonly type: string; readonly data: Uint8Array }; readonly replyToSeq?: number }
  | MessageContent;

/** A decoded SendRequest. */
export interface DecodedSend {
  readonly conversationId: Uint8Array;
  readonly messages: readonly OutgoingMessage[];
}

const maxTextBytes = 16_000;
const maxCustomBytes = 32_768;
const maxTypeBytes = 100;
/** The conversation comes first: its tag, its length and 16 bytes. The messages follow. */
const conversationPartBytes = 2 + idBytes;

/** The content as a message, checked as the server will check it. Throws INVALID_ARGUMENT. */
export function toContent(content: SendContent): MessageContent {
  const message = "$typeName" in content ? content : fromParts(content);
  const { kind } = message;
  if (kind.case === "text") {
    const bytes = new TextEncoder().encode(kind.value.text).byteLength;
    if (bytes < 1 || bytes > maxTextBytes)
      throw invalidArgument("text", "string.max_bytes", `must be 1 to ${maxTextBytes} bytes of UTF-8`);
  } else if (kind.case === "custom") {
    const typeBytes = new TextEncoder().encode(kind.value.type).byteLength;
    if (typeBytes < 1 || typeBytes > maxTypeBytes)
      throw invalidArgument("custom.type", "string.max_bytes", `must be 1 to ${maxTypeBytes} bytes`);
    if (kind.value.data.byteLength > maxCustomBytes)
      throw invalidArgument("custom.data", "bytes.max_len", `must be at most ${maxCustomBytes} bytes`);
  } else throw invalidArgument("content", "oneof", "must be text or custom");
  return message;
}

function fromParts(content: Exclude<SendContent, MessageContent>): MessageContent {
  const replyToSeq = BigInt(content.replyToSeq ?? 0);
  if ("text" in content)
    return create(MessageContentSchema, {
      kind: { case: "text", value: create(TextContentSchema, { text: content.text }) },
      replyToSeq,
    });
  const { type, data } = content.custom;
  return create(MessageContentSchema, { kind: { case: "custom", value: { type, data } }, replyToSeq });
}

/** The SendRequest of one message. */
export function encodeSend(
  conversationId: Uint8Array,
  clientMessageId: Uint8Array,
  content: MessageContent,
): Uint8Array {
  return toBinary(
    SendRequestSchema,
    create(SendRequestSchema, { conversationId, messages: [{ clientMessageId, content }] }),
  );
}

/** One SendRequest with the messages of all; they are of one conversation. A request is its conversation, then them. */
export function packSends(requests: readonly Uint8Array[]): Uint8Array {
  const first = requests[0]!;
  if (requests.length === 1) return first;
  const bytes = requests.reduce(
    (sum, request) => sum + request.byteLength - conversationPartBytes,
    conversationPartBytes,
  );
  const packed = new Uint8Array(bytes);
  packed.set(first.subarray(0, conversationPartBytes));
  let offset = conversationPartBytes;
  for (const request of requests) {
    packed.set(request.subarray(conversationPartBytes), offset);
    offset += request.byteLength - conversationPartBytes;
  }
  return packed;
}

/** What a stored SendRequest says; undefined when it cannot be read. */
export function decodeSend(request: Uint8Array): DecodedSend | undefined {
  try {
    const { conversationId, messages } = fromBinary(SendRequestSchema, request);
    const whole = messages.every(({ clientMessageId, content }) => clientMessageId.byteLength === idBytes && content);
    return conversationId.byteLength === idBytes && messages.length > 0 && whole
      ? { conversationId, messages }
      : undefined;
  } catch {
    return undefined;
  }
}
