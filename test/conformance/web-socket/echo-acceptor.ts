import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { limits } from "@chappe/mesh/limits.ts";
import { createTrustedProxies } from "@chappe/mesh/rpc/trusted-proxies.ts";
import type { Session } from "@chappe/services/login/session.ts";
import type { Transport } from "@chappe/services/login/transport.ts";
import { acceptWebSockets } from "@chappe/services/login/web-socket/web-socket-acceptor.ts";
import type { WebSocketTransport } from "@chappe/services/login/web-socket/web-socket-transport.ts";

/** Login's WebSocket acceptor with a session that echoes, as the cases of Autobahn want it. */
export interface EchoAcceptor {
  readonly port: number;
  close(): Promise<void>;
}

/** What the acceptor asks of a session, answered by sending the same message back. */
function echoSession(transport: Transport): Session {
  const socket = transport as WebSocketTransport;
  const session = {
    onFrame: (frame: Uint8Array, isBinary: boolean) => socket.send(frame, { binary: isBinary }),
    onPing: () => undefined,
    onFrameTooLarge: () => undefined,
    onTransportClosed: () => undefined,
  };
  return session as unknown as Session;
}

/** Starts one with the bounds of mesh/limits.ts. */
export async function startEchoAcceptor(): Promise<EchoAcceptor> {
  const server = createServer();
  const stop = acceptWebSockets({
    server,
    limits,
    allowedOrigins: [],
    proxies: createTrustedProxies([]),
    admit: () => ({ welcome: () => undefined, leave: () => undefined }),
    openSession: echoSession,
    onRefused: () => undefined,
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
