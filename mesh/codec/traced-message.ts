/** TracedMessage of chappe.mesh.v1, a part of push entries and deliveries. */
import type { ByteWriter } from "./byte-writer.ts";
import { emptyBytes, type WireReader } from "./wire-reader.ts";
import { bytesFieldSize, delimitedSize, numberFieldSize } from "./wire-size.ts";

/** A message that is traced, in an event that holds several. */
export interface TracedMessage {
  readonly seq: number;
  /** W3C traceparent; the trace id is the client message id. A view into the input when decoded. */
  readonly traceContext: Uint8Array;
}

/** No traced message: shared, so that events without one cost nothing. */
export const noTraced: readonly TracedMessage[] = Object.freeze([]);

const sizeOf = ({ seq, traceContext }: TracedMessage): number => numberFieldSize(seq) + bytesFieldSize(traceContext);

/** Size of these as fields with a one-byte tag. */
export function tracedSize(traced: readonly TracedMessage[]): number {
  let size = 0;
  for (const message of traced) size += delimitedSize(sizeOf(message));
  return size;
}

/** Writes these as fields with this tag; the writer has room for them. */
export function writeTraced(writer: ByteWriter, tag: number, traced: readonly TracedMessage[]): void {
  for (const message of traced) {
    writer.head(tag, sizeOf(message));
    writer.numberField(0x08, message.seq);
    writer.bytesField(0x12, message.traceContext);
  }
}

/** `before` with the message at the reader at its end; the shared empty list is replaced, any other grows in place. */
export function readTraced(reader: WireReader, before: readonly TracedMessage[]): readonly TracedMessage[] {
  let seq = 0;
  let traceContext = emptyBytes;
  const outer = reader.enter();
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x08) seq = reader.number();
    else if (tag === 0x12) traceContext = reader.view();
    else reader.skip(tag);
  }
  reader.leave(outer);
  const message = { seq, traceContext };
  if (before.length === 0) return [message];
  (before as TracedMessage[]).push(message);
  return before;
}
