import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { DescService } from "@bufbuild/protobuf";
import { AuthLevel } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { authorize } from "@chappe/mesh/rpc/authorize.ts";
import { clientAddressKey } from "@chappe/mesh/rpc/client-address.ts";
import { toChappeError, toConnectError } from "@chappe/mesh/rpc/connect-errors.ts";
import type { MethodContract } from "@chappe/mesh/rpc/contracts.ts";
import { identityKey, publicIdentity } from "@chappe/mesh/rpc/identity.ts";
import { methodContractsOf } from "@chappe/mesh/rpc/method-contracts.ts";
import type { TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { type ConnectRouter, createContextValues, type Interceptor } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

/** One service and its implementation. */
export interface EdgeService {
  readonly service: DescService;
  readonly impl: object;
}

/** What createHttpEdge needs. */
export interface HttpEdgeOptions {
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly services: readonly EdgeService[];
  readonly verifier: TokenVerifier;
  readonly validator: RequestValidator;
  readonly logger: Logger;
  /** Answers requests that are no RPC; true when it did. */
  readonly serveOther: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly ready: () => boolean;
}

/** Short connections: Connect, gRPC-web and plain HTTP on one port. */
export interface HttpEdge {
  readonly server: Server;
  readonly port: number;
  /** Stops accepting, gives calls in hand so long to end. */
  close(graceMs?: number): Promise<void>;
}

const bearer = /^Bearer ([A-Za-z0-9._-]{1,2048})$/;

function createEdgeInterceptor(options: HttpEdgeOptions): Interceptor {
  const contracts = new Map<string, MethodContract>();
  for (const { service } of options.services) {
    for (const contract of methodContractsOf(service))
      contracts.set(`${service.typeName}/${contract.method.name}`, contract);
  }
  return (next) => async (request) => {
    const name = `${request.service.typeName}/${request.method.name}`;
    try {
      const { auth } = contracts.get(name)!;
      let identity = publicIdentity;
      if (auth !== AuthLevel.PUBLIC) {
        const token = bearer.exec(request.header.get("authorization") ?? "")?.[1];
        if (token !== undefined) {
          const { userId, sessionId } = await options.verifier.verify(token);
          identity = { kind: "user", userId, sessionId, deviceId: 0n };
        }
      }
      authorize(auth, identity);
      request.contextValues.set(identityKey, identity);
      if (!request.stream) options.validator.validate(request.method.input, request.message);
      return await next(request);
    } catch (error) {
      const chappeError = toChappeError(error);
      if (chappeError.row.name === "INTERNAL")
        options.logger.error("http.internal", { method: name, error: chappeError });
      throw toConnectError(chappeError);
    }
  };
}

const securityHeaders = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
};

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const text =
        cause.code === "EADDRINUSE" ? `port ${port} of ${host} is in use` : `cannot listen on ${host}:${port}`;
      reject(new ChappeError("UNAVAILABLE", text, { cause }));
    });
    server.listen(port, host, resolve);
  });
}

/** Starts the edge. UNAVAILABLE names the port when it is in use. */
export async function createHttpEdge(options: HttpEdgeOptions): Promise<HttpEdge> {
  const routes = (router: ConnectRouter): void => {
    for (const { service, impl } of options.services) router.service(service, impl);
  };
  const handler = connectNodeAdapter({
    routes,
    interceptors: [createEdgeInterceptor(options)],
    readMaxBytes: limits.maxHttpMessageBytes,
    writeMaxBytes: limits.maxHttpMessageBytes,
    maxTimeoutMs: limits.maxCallTimeoutMs,
    contextValues: (request) => createContextValues().set(clientAddressKey, request.socket.remoteAddress ?? ""),
    fallback: (request, response) => {
      if (options.serveOther(request as IncomingMessage, response as ServerResponse)) return;
      response.statusCode = 404;
      response.end("not found\n");
    },
  });
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
    if (request.url === "/livez") response.end("ok\n");
    else if (request.url === "/readyz") {
      response.statusCode = options.ready() ? 200 : 503;
      response.end(options.ready() ? "ok\n" : "not ready\n");
    } else handler(request, response);
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  await listen(server, options.host ?? "127.0.0.1", options.port);
  return {
    server,
    port: (server.address() as AddressInfo).port,
    close: (graceMs = 2_000) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}
