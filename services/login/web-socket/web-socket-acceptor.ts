import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { TrustedProxies } from "@chappe/mesh/rpc/trusted-proxies.ts";
import { WebSocketServer } from "ws";
import type { LoginDoor } from "../login-door.ts";
import type { LoginLimits } from "../login-options.ts";
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
  readonly proxies: TrustedProxies;
  readonly admit: LoginDoor["admit"];
  readonly openSession: LoginDoor["openSession"];
  /** Told of each upgrade from a foreign origin. */
  readonly onRefused: () => void;
}

function refuse(socket: Duplex, status: number): void {
  const retry = status !== 403 ? "Retry-After: 1\r\n" : "";
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
  const { server, limits, proxies, admit, openSession, onRefused } = options;
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
    maxPendingAutoPongs: Math.max(limits.maxPendingPongs, limits.frameBurstPerConnection + 1),
    closeTimeout: limits.closeTimeoutMs,
    WebSocket: WebSocketTransport,
  };
  const sockets = new WebSocketServer(socketOptions);
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const path = request.url?.split("?", 1)[0];
    if (path !== webSocketPath) return;
    if (!originAllowed(request, allowed)) {
      onRefused();
      refuse(socket, 403);
      return;
    }
    const forwardedFor = request.headers["x-forwarded-for"]?.toString();
    const ticket = admit(proxies.clientOf((socket as Socket).remoteAddress ?? "", forwardedFor));
    if (ticket instanceof ChappeError) {
      refuse(socket, ticket.row.name === "RATE_LIMITED" ? 429 : 503);
      return;
    }
    let opened = false;
    sockets.handleUpgrade(request, socket, head, (transport) => {
      opened = true;
      transport.bind(openSession(transport, ticket), socket as Socket, frames);
    });
    // handleUpgrade answers at once: a request that is no good upgrade has been refused by now.
    if (!opened) ticket.leave();
  };
  server.on("upgrade", onUpgrade);
  return () => void server.off("upgrade", onUpgrade);
}
