import { Client, credentials } from "@grpc/grpc-js";
import type { OpenWire } from "./transport-client.ts";

const path = "/chappe.edge.v1.EdgeService/Connect";
const asIs = (bytes: Buffer): Buffer => bytes;

/** Frames over one gRPC stream of a connection of its own. */
export function grpcWire(port: number): OpenWire {
  return async ({ onFrame, onClosed }) => {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_receive_message_length": -1,
    });
    const call = client.makeBidiStreamRequest<Buffer, Buffer>(path, asIs, asIs);
    call.on("data", onFrame);
    call.on("error", () => undefined);
    call.on("status", () => {
      client.close();
      // What was read is handed over in a later turn.
      setImmediate(() => onClosed());
    });
    return {
      sendFrame: (frame) => void call.write(Buffer.from(frame)),
      pause: () => void call.pause(),
      resume: () => void call.resume(),
      close: () => call.end(),
    };
  };
}
