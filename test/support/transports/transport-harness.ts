import { createRequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { acceptConnect } from "@chappe/services/login/connect/connect-acceptor.ts";
import { acceptGrpc } from "@chappe/services/login/grpc/grpc-acceptor.ts";
import type { LoginOptions } from "@chappe/services/login/login-options.ts";
import { acceptTcp } from "@chappe/services/login/tcp/tcp-acceptor.ts";
import { acceptUdp } from "@chappe/services/login/udp/udp-acceptor.ts";
import { type LoginHarness, startLogin } from "../../e2e/login-harness.ts";
import { connectWire } from "./connect-wire.ts";
import { grpcWire } from "./grpc-wire.ts";
import { tcpWire } from "./tcp-wire.ts";
import { type OpenWire, TransportClient } from "./transport-client.ts";
import { openTicket, udpWire } from "./udp-wire.ts";
import { webSocketWire } from "./web-socket-wire.ts";

/** Names of the ways to a session. */
export const transportNames = ["WebSocket", "TCP", "gRPC", "Connect", "gRPC-web", "UDP"] as const;

/** One of them. */
export type TransportName = (typeof transportNames)[number];

/** A Login with every transport. */
export interface TransportHarness extends LoginHarness {
  readonly ports: { readonly tcp: number; readonly grpc: number; readonly udp: number };
  open(transport: TransportName): Promise<TransportClient>;
  /** Opens and says Hello as this user. */
  signedIn(transport: TransportName, userId: bigint, deviceId?: bigint): Promise<TransportClient>;
}

/** Whose tickets the sessions over UDP are opened with. */
const udpUserId = 999n;

/** What may differ. */
export interface TransportHarnessOptions {
  readonly login?: Partial<LoginOptions>;
  readonly trustedProxies?: readonly string[];
}

/** Starts one, each transport on any free port. */
export async function startTransports(options: TransportHarnessOptions = {}): Promise<TransportHarness> {
  const harness = await startLogin(options.login);
  const { login, server, verifier } = harness;
  const { trustedProxies = [] } = options;
  const tcp = await acceptTcp({ login, port: 0, trustedProxies });
  const grpc = await acceptGrpc({ login, port: 0, trustedProxies });
  const udp = await acceptUdp({ login, port: 0 });
  const validator = createRequestValidator();
  const connect = acceptConnect({ login, verifier, validator, openUdp: udp.openUdp, trustedProxies });
  server.on("request", (request, response) => {
    if (!connect.serve(request, response)) response.writeHead(404).end();
  });
  const wires: Record<TransportName, OpenWire> = {
    WebSocket: webSocketWire(harness.port),
    TCP: tcpWire(tcp.port),
    gRPC: grpcWire(grpc.port),
    Connect: connectWire(harness.port, "connect"),
    "gRPC-web": connectWire(harness.port, "grpc-web"),
    UDP: async (events) => udpWire(await openTicket(harness.port, await harness.token(udpUserId)))(events),
  };
  const open = (transport: TransportName): Promise<TransportClient> => TransportClient.open(wires[transport]);
  const closeLogin = harness.close;
  return Object.assign(harness, {
    ports: { tcp: tcp.port, grpc: grpc.port, udp: udp.port },
    open,
    async signedIn(transport: TransportName, userId: bigint, deviceId = 1n) {
      const client = await open(transport);
      await client.signIn({ token: await harness.token(userId), deviceId });
      return client;
    },
    async close() {
      await login.close();
      await Promise.all([tcp.close(), grpc.close(), udp.close()]);
      await closeLogin();
    },
  });
}
