/** Bytes before a message of a stream: its flags and its length. */
export const envelopeHeaderBytes = 5;

/** What stands before a message without flags, in Connect streams and gRPC-web alike. */
export function envelopeHeader(messageBytes: number): Buffer {
  const header = Buffer.alloc(envelopeHeaderBytes);
  header.writeUInt32BE(messageBytes, 1);
  return header;
}

/** The one message of a body, as a view. Undefined when the body is anything but one whole message without flags. */
export function onlyMessageOf(body: Buffer): Buffer | undefined {
  if (body.length < envelopeHeaderBytes || body[0] !== 0) return undefined;
  const message = body.subarray(envelopeHeaderBytes);
  return body.readUInt32BE(1) === message.length ? message : undefined;
}
