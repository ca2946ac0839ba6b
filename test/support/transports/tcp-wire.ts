import { connect, type Socket } from "node:net";
import { lengthHeader, TcpFrames } from "@chappe/services/login/tcp/tcp-frames.ts";
import type { OpenWire } from "./transport-client.ts";

const maxFrameBytes = 4 * 1024 * 1024;

/** A bare TCP connection to this machine. */
export function openSocketTo(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.once("error", reject);
  });
}

/** Frames over TCP. @param preamble what is sent first */
export function tcpWire(port: number, preamble?: Uint8Array): OpenWire {
  return async ({ onFrame, onClosed }) => {
    const socket = await openSocketTo(port);
    const frames = new TcpFrames();
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      frames.push(chunk as Buffer, { maxFrameBytes, ended: false, onFrame, onFrameTooLarge: () => socket.destroy() });
    });
    socket.on("close", () => onClosed());
    if (preamble !== undefined) socket.write(preamble);
    return {
      sendFrame: (frame) => void socket.write(Buffer.concat([lengthHeader(frame.length), frame])),
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
      close: () => void socket.end(),
    };
  };
}
