/** SendRequest of chappe.msg.v1, with contents left as bytes. */
import { emptyBytes, WireReader } from "./wire-reader.ts";

/** chappe.msg.v1.OutgoingMessage; both are views into the input. */
export interface SendRequestMessage {
  /** As the sender made it; empty when it has none. */
  readonly clientMessageId: Uint8Array;
  /** An encoded chappe.msg.v1.MessageContent; empty when it has none. */
  readonly content: Uint8Array;
}

/** chappe.msg.v1.SendRequest; nothing of it is checked but that it is one. */
export interface SendRequestFields {
  readonly conversationId: Uint8Array;
  readonly messages: readonly SendRequestMessage[];
}

/** Decodes a SendRequest; every bytes field is a view into `bytes`. MALFORMED_PAYLOAD. */
export function decodeSendRequest(bytes: Uint8Array): SendRequestFields {
  const reader = new WireReader(bytes, "MALFORMED_PAYLOAD");
  let conversationId = emptyBytes;
  const messages: SendRequestMessage[] = [];
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x0a) conversationId = reader.view();
    else if (tag === 0x12) {
      const outer = reader.enter();
      messages.push(readMessage(reader));
      reader.leave(outer);
    } else reader.skip(tag);
  }
  return { conversationId, messages };
}

function readMessage(reader: WireReader): SendRequestMessage {
  let clientMessageId = emptyBytes;
  let content = emptyBytes;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x0a) clientMessageId = reader.view();
    else if (tag === 0x12) content = reader.view();
    else reader.skip(tag);
  }
  return { clientMessageId, content };
}
