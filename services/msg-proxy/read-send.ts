import { randomUUIDv7 } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { EntryKind } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { type MessageContent, MessageContentSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { bodyDigest } from "@chappe/mesh/codec/body-digest.ts";
import { isPlainText } from "@chappe/mesh/codec/is-plain-text.ts";
import type { LogRecordEntry } from "@chappe/mesh/codec/log-record.ts";
import { decodeSendRequest, type SendRequestFields } from "@chappe/mesh/codec/send-request.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { conversationIdBytes } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { noBytes } from "@chappe/mesh/rpc/call.ts";
import type { Identity } from "@chappe/mesh/rpc/identity.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";

/** Messages of one SendRequest; the most that the contract allows. */
const maxMessages = 64;

/** A fresh UUIDv7 as 16 bytes. */
function newMessageId(): Uint8Array {
  return Uint8Array.from(Buffer.from(randomUUIDv7().replaceAll("-", ""), "hex"));
}

/** Decodes an encoded SendRequest; contents stay bytes. MALFORMED_PAYLOAD or INVALID_ARGUMENT. */
export function readSendRequest(payload: Uint8Array): SendRequestFields {
  const request = decodeSendRequest(payload);
  if (request.conversationId.length !== conversationIdBytes) {
    throw invalidArgument("conversation_id", "bytes.len", "must be 16 bytes");
  }
  if (request.messages.length < 1)
    throw invalidArgument("messages", "repeated.min_items", "must hold at least 1 message");
  if (request.messages.length > maxMessages) {
    throw invalidArgument("messages", "repeated.max_items", `must hold at most ${maxMessages} messages`);
  }
  return request;
}

/** Checks one content by its contract. MALFORMED_PAYLOAD or INVALID_ARGUMENT naming the field. */
export function checkContent(body: Uint8Array, field: string, validator: RequestValidator): void {
  if (body.length === 0) throw invalidArgument(field, "required", "is required");
  if (isPlainText(body)) return;
  if (body.length > limits.maxContentBytes)
    throw invalidArgument(field, "bytes.max_len", `is over ${limits.maxContentBytes} bytes`);
  let content: MessageContent;
  try {
    content = fromBinary(MessageContentSchema, body);
  } catch (cause) {
    throw new ChappeError("MALFORMED_PAYLOAD", `${field} is not a MessageContent`, { cause });
  }
  if (content.kind.case === undefined) throw invalidArgument(`${field}.kind`, "required", "must hold text or custom");
  if (content.kind.case === "membership")
    throw invalidArgument(`${field}.membership`, "server_only", "is made by the server alone");
  validator.validate(MessageContentSchema, content, field);
}

/** The log entries of a checked request. `checkId` judges the ids that the sender chose. */
export function toEntries(
  request: SendRequestFields,
  identity: Identity,
  checkId: (id: Uint8Array, field: string) => void,
): LogRecordEntry[] {
  return request.messages.map(({ clientMessageId, content }, index) => {
    if (clientMessageId.length > 0) checkId(clientMessageId, `messages[${index}].client_message_id`);
    const { conversationId } = request;
    const id = clientMessageId.length > 0 ? clientMessageId : newMessageId();
    return {
      conversationId,
      senderId: identity.userId,
      clientMessageId: id,
      digest: bodyDigest(content),
      deviceId: identity.deviceId,
      kind: EntryKind.USER,
      traceContext: noBytes,
      body: content,
    };
  });
}
