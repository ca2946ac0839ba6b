import { closeFrameOf, frameOf, opcodes, type ServerFrame } from "./raw-web-socket.ts";

/** One case of Autobahn's server suite, on the acceptor with an echo behind it. */
export interface EchoCase {
  /** Number in Autobahn's suite, and what it does. */
  readonly name: string;
  /** Section of RFC 6455 that says so. */
  readonly section: string;
  /** What the client sends, in order. */
  readonly send: readonly Buffer[];
  /** Pieces in which the bytes are sent. @default all at once */
  readonly pieceBytes?: number;
  /** Messages and pongs that must come back, in order. @default none */
  readonly answers?: readonly ServerFrame[];
  /** Close code of the server. 1000 = the client has to close, and is answered. @default 1000 */
  readonly closes?: number;
}

/** The echo of a message. */
export const echoOf = (opcode: number, data: string | Uint8Array): ServerFrame => ({
  fin: true,
  opcode,
  payload: Buffer.from(typeof data === "string" ? Buffer.from(data) : data),
});
/** A text message and its echo. */
export const text = (data: string | Uint8Array): Buffer => frameOf(opcodes.text, data);
/** The echo of a text. */
export const textEcho = (data: string | Uint8Array): ServerFrame => echoOf(opcodes.text, data);
/** The pong for a ping. */
export const pong = (data: string | Uint8Array = ""): ServerFrame => echoOf(opcodes.pong, data);
/** A message in fragments. @param between goes out after each fragment but the last */
export function fragments(opcode: number, parts: readonly (string | Uint8Array)[], between: Buffer[] = []): Buffer[] {
  return parts.flatMap((part, i) => {
    const fin = i === parts.length - 1;
    const frame = frameOf(i === 0 ? opcode : opcodes.continuation, part, { fin });
    return fin ? [frame] : [frame, ...between];
  });
}
/** The normal end that a case without an error of the client has. */
export const goodbye = closeFrameOf(1000);
