import type { OpenFrames } from "@chappe/bench/support/mesh-connection.ts";
import type { ReadyLine } from "@chappe/bench/support/start-server.ts";
import { connectWire } from "../support/transports/connect-wire.ts";
import { grpcWire } from "../support/transports/grpc-wire.ts";
import { tcpWire } from "../support/transports/tcp-wire.ts";
import type { OpenWire } from "../support/transports/transport-client.ts";
import { openTicket, udpWire } from "../support/transports/udp-wire.ts";

/** Every way to carry a long connection. */
export const transportKinds = ["websocket", "tcp", "grpc", "connect", "grpc-web", "udp"] as const;

/** One of them. */
export type TransportKind = (typeof transportKinds)[number];

async function wireOf(kind: TransportKind, ready: ReadyLine, token: string): Promise<OpenWire> {
  const { port = 0, tcp = 0, grpc = 0 } = ready;
  if (kind === "tcp") return tcpWire(tcp);
  if (kind === "grpc") return grpcWire(grpc);
  return kind === "udp"
    ? udpWire(await openTicket(port, token))
    : connectWire(port, kind === "connect" ? kind : "grpc-web");
}

/** Frames over a transport to a Login process, chosen anew for each connection; undefined = the client's own WebSocket. */
export function framesOver(kind: TransportKind, login: () => ReadyLine): ((token: string) => OpenFrames) | undefined {
  if (kind === "websocket") return undefined;
  return (token) =>
    async ({ onMessage, onClose }) => {
      const openWire = await wireOf(kind, login(), token);
      const wire = await openWire({
        onFrame: (frame) => onMessage(Buffer.from(frame), 0, frame.length),
        onClosed: (code = 0) => onClose(code, "closed"),
      });
      return { send: (frame) => wire.sendFrame(Uint8Array.from(frame)), destroy: () => wire.close() };
    };
}
