import { WebSocket } from "ws";
import type { OpenWire } from "./transport-client.ts";

/** Frames over WebSocket. */
export function webSocketWire(port: number): OpenWire {
  return ({ onFrame, onClosed }) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, { perMessageDeflate: false });
      socket.once("error", reject);
      socket.on("message", (data) => onFrame(data as Buffer));
      socket.on("close", (code) => onClosed(code));
      socket.once("open", () =>
        resolve({
          sendFrame: (frame) => socket.send(frame),
          pause: () => socket.pause(),
          resume: () => socket.resume(),
          close: () => socket.close(),
        }),
      );
    });
}
