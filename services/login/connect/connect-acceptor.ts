import type { IncomingMessage, ServerResponse } from "node:http";
import { EdgeService } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { createTrustedProxies } from "@chappe/mesh/rpc/trusted-proxies.ts";
import type { LoginDoor } from "../login-door.ts";
import type { EdgeImplOptions } from "./edge-impl.ts";
import { createLeanEdge } from "./lean-edge.ts";
import { createLibraryEdge } from "./library-edge.ts";
import { createListenContext } from "./listen-transport.ts";

/** What acceptConnect needs. */
export interface ConnectAcceptorOptions extends Omit<EdgeImplOptions, "context"> {
  readonly login: LoginDoor;
  /** Proxies whose X-Forwarded-For is taken. @default none */
  readonly trustedProxies?: readonly string[];
}

/** Answers the calls of EdgeService, over Connect and gRPC-web. */
export interface ConnectAcceptor {
  /** False when the request is for somebody else. */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
}

const prefix = `/${EdgeService.typeName}/`;

/** Takes sessions over the HTTP edge: server streams down, unary calls up. They end with Login or their connection. */
export function acceptConnect(options: ConnectAcceptorOptions): ConnectAcceptor {
  const { login, trustedProxies = [] } = options;
  const proxies = createTrustedProxies(trustedProxies);
  const context = createListenContext(login);
  const library = createLibraryEdge({ ...options, context });
  const lean = createLeanEdge({ context, library });
  return {
    serve(request, response) {
      if (request.url?.startsWith(prefix) !== true) return false;
      const forwardedFor = request.headers["x-forwarded-for"]?.toString();
      const client = proxies.clientOf(request.socket.remoteAddress ?? "", forwardedFor);
      const call = { request, response, client };
      if (!lean.serve(call)) library.serve(call);
      return true;
    },
  };
}
