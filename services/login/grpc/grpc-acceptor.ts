import { type AddressInfo, createServer, type Server as NetServer } from "node:net";
import { EdgeService } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { listenOn } from "@chappe/mesh/lifecycle/listen-on.ts";
import { forwardedForOf, peerAddressOf } from "@chappe/mesh/rpc/grpc-unary.ts";
import { createTrustedProxies, type TrustedProxies } from "@chappe/mesh/rpc/trusted-proxies.ts";
import {
  Metadata,
  ResponderBuilder,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import type { LoginDoor } from "../login-door.ts";
import { createFrameWriter } from "../web-socket/frame-writer.ts";
import { type ConnectGuard, createConnectGuard } from "./connect-guard.ts";
import { type BatchStream, GrpcTransport } from "./grpc-transport.ts";

/** What acceptGrpc needs. */
export interface GrpcAcceptorOptions {
  readonly login: LoginDoor;
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Other processes listen on the same port. @default false */
  readonly reusePort?: boolean;
  /** Proxies whose X-Forwarded-For is taken. @default none */
  readonly trustedProxies?: readonly string[];
  /** Adds further services to the port. */
  readonly addServices?: (server: Server) => void;
}

/** A port that takes gRPC streams, in clear text: TLS ends at the proxy before it. */
export interface GrpcAcceptor {
  readonly port: number;
  /** Stops listening and cuts what is left; close Login before, which says farewell. */
  close(): Promise<void>;
}

const asIs = (bytes: Buffer): Buffer => bytes;
const { connect } = EdgeService.method;
const service: ServiceDefinition = {
  [connect.localName]: {
    path: `/${EdgeService.typeName}/${connect.name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
};

/** Bounds of an HTTP/2 session that grpc-js has no channel option for; it passes this object on to node:http2. */
function boundSessions(server: Server, { limits }: LoginDoor, isBehindProxy: boolean): void {
  const { commonServerOptions } = server as unknown as { readonly commonServerOptions?: object };
  if (commonServerOptions === undefined) throw new ChappeError("INTERNAL", "grpc-js takes no HTTP/2 options any more");
  Object.assign(commonServerOptions, {
    streamResetBurst: isBehindProxy ? limits.grpcProxyStreamResetBurst : limits.grpcStreamResetBurst,
    streamResetRate: isBehindProxy ? limits.grpcProxyStreamResetsPerSecond : limits.grpcStreamResetsPerSecond,
    maxSessionInvalidFrames: limits.maxGrpcInvalidFrames,
    maxSessionRejectedStreams: limits.maxGrpcRejectedStreams,
    maxSendHeaderBlockLength: limits.maxHttpHeaderBytes,
    maxHeaderListPairs: limits.maxHttpHeaders,
  });
}

/** Tells the guard of every call that its client gives up. */
function watchAbandoned(guard: ConnectGuard): ServerInterceptor {
  return (_method, call) => {
    const startedMs = performance.now();
    const onCancel = (): void => guard.onAbandoned(call.getPeer(), startedMs);
    const listener = new ServerListenerBuilder().withOnCancel(onCancel).build();
    return new ServerInterceptingCall(call, new ResponderBuilder().withStart((next) => next(listener)).build());
  };
}

function createGrpcServer(
  login: LoginDoor,
  proxies: TrustedProxies,
  guard: ConnectGuard,
  isBehindProxy: boolean,
): Server {
  const { limits } = login;
  const server = new Server({
    "grpc.max_concurrent_streams": limits.maxGrpcStreamsPerConnection,
    // Twice the limit, so that a frame a little over it is answered like on every other transport.
    "grpc.max_receive_message_length": 2 * limits.maxFrameBytes,
    "grpc.max_connection_idle_ms": limits.grpcIdleConnectionMs,
    "grpc.keepalive_time_ms": limits.grpcKeepaliveMs,
    "grpc.keepalive_timeout_ms": limits.grpcKeepaliveTimeoutMs,
    "grpc.enable_channelz": 0,
    interceptors: [watchAbandoned(guard)],
  });
  boundSessions(server, login, isBehindProxy);
  const writer = createFrameWriter({ header: () => Buffer.alloc(0), usesMemo: false });
  const open = (call: BatchStream): void => {
    const client = proxies.clientOf(peerAddressOf(call.getPeer()), forwardedForOf(call.metadata));
    const ticket = login.admit(client);
    if (ticket instanceof ChappeError) {
      const metadata = new Metadata();
      metadata.set("retry-after-ms", String(ticket.retryAfterMs));
      call.emit("error", { code: ticket.row.code, details: ticket.message, metadata });
      return;
    }
    new GrpcTransport(call, login, writer, ticket);
  };
  server.addService(service, { [connect.localName]: open });
  return server;
}

/** Takes long connections over gRPC. UNAVAILABLE names the port when it is in use. */
export async function acceptGrpc(options: GrpcAcceptorOptions): Promise<GrpcAcceptor> {
  const { login, host = "127.0.0.1", port, reusePort = false, trustedProxies = [] } = options;
  const proxies = createTrustedProxies(trustedProxies);
  const guard = createConnectGuard(login.limits, proxies);
  const grpc = createGrpcServer(login, proxies, guard, trustedProxies.length > 0);
  options.addServices?.(grpc);
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const tcp: NetServer = createServer({ noDelay: true }, (socket) => {
    if (!guard.admit(socket)) return;
    socket.on("error", () => socket.destroy());
    injector.injectConnection(socket);
  });
  tcp.maxConnections = login.limits.maxGrpcConnections;
  await listenOn(tcp, { host, port, reusePort });
  return {
    port: (tcp.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        tcp.close(() => {
          grpc.forceShutdown();
          resolve();
        });
        guard.close();
      }),
  };
}
