/** SendFrameRequest, SendFrameResponse and Listening of chappe.edge.v1: what each frame of a web client costs. */
import { encodeExact } from "./byte-writer.ts";
import { emptyBytes, WireReader } from "./wire-reader.ts";
import { boolFieldSize, bytesFieldSize, numberFieldSize } from "./wire-size.ts";

/** chappe.edge.v1.SendFrameRequest; the bytes are views into the input. */
export interface SendFrameFields {
  readonly connectionKey: Uint8Array;
  readonly sequence: number;
  readonly frame: Uint8Array;
}

/**
 * Decodes a SendFrameRequest. Undefined when it is none, holds a field that is not known here or a sequence above
 * 2^53 - 1: protobuf-es then has the word.
 */
export function decodeSendFrameRequest(bytes: Uint8Array): SendFrameFields | undefined {
  const reader = new WireReader(bytes, "MALFORMED_PAYLOAD");
  let connectionKey = emptyBytes;
  let sequence = 0;
  let frame = emptyBytes;
  try {
    while (reader.pos < reader.end) {
      const tag = reader.tag();
      if (tag === 0x0a) connectionKey = reader.view();
      else if (tag === 0x10) sequence = reader.number();
      else if (tag === 0x1a) frame = reader.view();
      else return undefined;
    }
  } catch {
    return undefined;
  }
  return { connectionKey, sequence, frame };
}

/** An encoded SendFrameResponse. */
export function encodeSendFrameResponse(nextSequence: number, repeated: boolean): Uint8Array {
  return encodeExact(numberFieldSize(nextSequence) + boolFieldSize(repeated), (writer) => {
    writer.numberField(0x08, nextSequence);
    writer.boolField(0x10, repeated);
  });
}

/** An encoded Listening. */
export function encodeListening(connectionKey: Uint8Array): Uint8Array {
  return encodeExact(bytesFieldSize(connectionKey), (writer) => writer.bytesField(0x0a, connectionKey));
}
