import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { LoginLimits } from "../login-options.ts";
import type { Session } from "../session.ts";
import type { Transport } from "../transport.ts";
import { createFrameWriter } from "./frame-writer.ts";
import { WebSocketTransport } from "./web-socket-transport.ts";

/** Path of the WebSocket endpoint. */
const webSocketPath = "/v1/socket";

/** What the acceptor needs. */
export interface WebSocketAcceptorOptions {
  readonly server: Server;
  readonly limits: LoginLimits;
  /** Origins, e.g. "https://chat.example.com", besides the server's own and none at all. */
  readonly allowedOrigins: readonly string[];
  /** False = answer 503. */
  readonly accepts: () => boolean;
  readonly openSession: (transport: Transport) => Session;
  /** Told of each upgrade that was refused. */
  readonly onRefused: () => void;
}

function refuse(socket: Duplex, status: number): void {
  const retry = status === 503 ? "Retry-After: 1\r\n" : "";
  socket.on("error", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n${retry}Content-Length: 0\r\n\r\n`);
}

/** Browsers send Origin always, so that absent means no browser and needs no protection against foreign pages. */
function originAllowed(request: IncomingMessage, allowed: ReadonlySet<string>): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || allowed.has(origin)) return true;
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
}

/** Takes WebSocket upgrades of an HTTP server at `webSocketPath`; others stay with other listeners. Answers the end. */
export function acceptWebSockets(options: WebSocketAcceptorOptions): () => void {
  const { server, limits, accepts, openSession, onRefused } = options;
  const allowed = new Set(options.allowedOrigins);
  const frames = createFrameWriter();
  // A variable, because closeTimeout is missing in the types of ws.
  const socketOptions = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.maxFrameBytes,
    maxFragments: limits.maxFragmentsPerMessage,
    maxBufferedChunks: limits.maxChunksPerMessage,
    closeTimeout: limits.closeTimeoutMs,
    WebSocket: WebSocketTransport,
  };
  const sockets = new WebSocketServer(socketOptions);
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const path = request.url?.split("?", 1)[0];
    if (path !== webSocketPath) return;
    const status = accepts() ? (originAllowed(request, allowed) ? 0 : 403) : 503;
    if (status !== 0) {
      onRefused();
      refuse(socket, status);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (transport) => {
      transport.bind(openSession(transport), socket as Socket, frames);
    });
  };
  server.on("upgrade", onUpgrade);
  return () => void server.off("upgrade", onUpgrade);
}
