import type { IncomingMessage, ServerResponse } from "node:http";
import type { TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import type { Server } from "@grpc/grpc-js";
import { acceptConnect } from "../login/connect/connect-acceptor.ts";
import { acceptGrpc } from "../login/grpc/grpc-acceptor.ts";
import type { LoginDoor } from "../login/login-door.ts";
import { acceptTcp } from "../login/tcp/tcp-acceptor.ts";
import { acceptUdp } from "../login/udp/udp-acceptor.ts";
import type { Config } from "./config.ts";

/** Ports of long connections besides WebSocket; those that are on. */
export interface ListenerPorts {
  readonly tcp?: number;
  readonly grpc?: number;
  readonly udp?: number;
}

/** Long connections besides WebSocket. */
export interface Listeners {
  readonly ports: ListenerPorts;
  /** Connect and gRPC-web streams on the HTTP port; true = it answers. */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
  close(): Promise<void>;
}

/** What openListeners needs. */
export interface ListenersOptions {
  readonly login: LoginDoor;
  readonly config: Config;
  readonly verifier: TokenVerifier;
  readonly validator: RequestValidator;
  /** Adds services to the gRPC port. */
  readonly addServices?: (server: Server) => void;
}

/** Opens the listeners that the settings name; UNAVAILABLE names a port that is in use, and then none stays open. */
export async function openListeners(options: ListenersOptions): Promise<Listeners> {
  const { login, config, verifier, validator, addServices } = options;
  const { host, tcpPort, grpcPort, udpPort, extraHosts, trustedProxies, sharesPorts: reusePort } = config;
  const common = { login, host, reusePort, trustedProxies };
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(listener: T): T => {
    opened.unshift(listener);
    return listener;
  };
  const close = async (): Promise<void> => {
    for (const listener of opened.splice(0)) await listener.close();
  };
  try {
    const tcp = tcpPort === undefined ? undefined : keep(await acceptTcp({ ...common, port: tcpPort, extraHosts }));
    const grpc =
      grpcPort === undefined
        ? undefined
        : keep(await acceptGrpc({ ...common, port: grpcPort, ...(addServices && { addServices }) }));
    const udp = udpPort === undefined ? undefined : keep(await acceptUdp({ login, host, port: udpPort, reusePort }));
    const connect = acceptConnect({ login, verifier, validator, trustedProxies, ...(udp && { openUdp: udp.openUdp }) });
    return {
      ports: { ...(tcp && { tcp: tcp.port }), ...(grpc && { grpc: grpc.port }), ...(udp && { udp: udp.port }) },
      serve: (request, response) => connect.serve(request, response),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
