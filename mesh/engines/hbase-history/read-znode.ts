import { connect, type Socket } from "node:net";
import { HbaseFailure } from "./hbase-failure.ts";

const sessionTimeoutMs = 10_000;
const passwordBytes = 16;
/** A node is 1 MiB at most; whatever says more is no ZooKeeper. */
const maxFrameBytes = 2 * 1024 * 1024;
const opCodes = { getData: 4, closeSession: -11 } as const;
/** Offsets in answers: of the session's timeout, of a failure's number, of a node's data after its length. */
const at = { sessionTimeout: 4, error: 12, dataLength: 16, data: 20 } as const;

function toFrame(...parts: readonly (number | Buffer)[]): Buffer {
  const bytes = parts.map((part) => {
    if (typeof part !== "number") return part;
    const int = Buffer.alloc(4);
    int.writeInt32BE(part);
    return int;
  });
  const body = Buffer.concat(bytes);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

const long = Buffer.alloc(8);
const openFrame = toFrame(0, long, sessionTimeoutMs, long, passwordBytes, Buffer.alloc(passwordBytes));
const closeFrame = toFrame(2, opCodes.closeSession);

function getFrame(path: string): Buffer {
  const name = Buffer.from(path);
  return toFrame(1, opCodes.getData, name.length, name, Buffer.from([0]));
}

/** What the other side sends, frame by frame; leaving the loop destroys the socket. */
async function* framesOf(socket: Socket): AsyncGenerator<Buffer> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk as Buffer]);
    while (pending.length >= 4) {
      const length = pending.readInt32BE(0);
      if (length < 0 || length > maxFrameBytes) throw new Error("it speaks another protocol");
      if (pending.length < 4 + length) break;
      yield pending.subarray(4, 4 + length);
      pending = pending.subarray(4 + length);
    }
  }
}

function parseData(frame: Buffer, path: string): Buffer {
  const error = frame.readInt32BE(at.error);
  if (error !== 0) throw new Error(`it has no ${path}, error ${error}`);
  const length = frame.readInt32BE(at.dataLength);
  if (length <= 0 || at.data + length > frame.length) throw new Error(`its ${path} is empty`);
  return frame.subarray(at.data, at.data + length);
}

async function talk(socket: Socket, path: string): Promise<Buffer> {
  let isOpen = false;
  socket.write(openFrame);
  for await (const frame of framesOf(socket)) {
    if (isOpen) {
      const data = parseData(frame, path);
      await new Promise<void>((resolve) => socket.end(closeFrame, () => resolve()));
      return data;
    }
    if (frame.readInt32BE(at.sessionTimeout) <= 0) throw new Error("it refuses a session");
    isOpen = true;
    socket.write(getFrame(path));
  }
  throw new Error("it ends the connection");
}

/**
 * What a ZooKeeper server ("host:port") has at a path. A session for each read, and the socket is destroyed at the end,
 * whatever comes of it: an answer that is late reaches nobody. HbaseFailure when it does not answer in time or has none.
 */
export async function readZnode(server: string, path: string, timeoutMs: number): Promise<Buffer> {
  const colon = server.lastIndexOf(":");
  const host = server.slice(0, colon).replace(/^\[|\]$/g, "");
  const socket = connect({ host, port: Number(server.slice(colon + 1)), noDelay: true });
  const timer = setTimeout(() => socket.destroy(new Error("it does not answer")), timeoutMs);
  try {
    return await talk(socket, path);
  } catch (error) {
    throw new HbaseFailure("lost", `ZooKeeper at ${server}: ${(error as Error).message}`);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
