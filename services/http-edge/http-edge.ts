import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerPlain, answerProbe } from "@chappe/mesh/lifecycle/answer-probe.ts";
import { listenAlso } from "@chappe/mesh/lifecycle/listen-also.ts";
import { listenOn } from "@chappe/mesh/lifecycle/listen-on.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import type { Hops } from "@chappe/mesh/telemetry/hops.ts";
import { answerBadRequest } from "./bad-request.ts";
import { createCorsPolicy } from "./cors.ts";
import { createRpcHandler, type EdgeService } from "./rpc-handler.ts";

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
  /** Judges what clients say of their trace. @default nothing is traced */
  readonly hops?: Hops | undefined;
  /** Sees each RPC before the services do, after CORS; true = it answers. For streams, which services here do not have. */
  readonly serveFirst?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Answers requests that are no RPC; true when it did. */
  readonly serveOther: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly ready: () => boolean;
  /** Other processes listen on the same port. @default false */
  readonly reusePort?: boolean;
  /** Further addresses with the same port. @default none */
  readonly extraHosts?: readonly string[];
  /** Proxies whose X-Forwarded-For is taken. @default none */
  readonly trustedProxies?: readonly string[];
  /** Origins whose pages may call; "*" alone = every origin. @default none but the page's own */
  readonly corsOrigins?: readonly string[];
}

/** Short connections: Connect, gRPC-web and plain HTTP on one port. */
export interface HttpEdge {
  readonly server: Server;
  readonly port: number;
  /** Stops accepting, gives calls in hand so long to end. @default limits.httpCloseTimeoutMs */
  close(graceMs?: number): Promise<void>;
}

const securityHeaders = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
};

function createAnswer(options: HttpEdgeOptions) {
  const rpc = createRpcHandler(options.services, options);
  const cors = createCorsPolicy(options.corsOrigins ?? []);
  return (expectsContinue: boolean) =>
    (request: IncomingMessage, response: ServerResponse): void => {
      for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
      const url = request.url ?? "";
      const { host } = request.headers;
      // Nothing behind this line has to ask whether the address of the request is one.
      if (host === undefined || !URL.canParse(url, `http://${host}`) || !url.startsWith("/"))
        return answerPlain(response, 400, "bad request: the address of the request is none");
      const path = url.split("?", 1)[0]!;
      if (rpc.isRpc(path)) {
        if (cors.answerPreflight(request, response)) return;
        cors.addHeaders(request, response);
        if (options.serveFirst?.(request, response) === true) return;
        void rpc.serve(request, response, expectsContinue);
        return;
      }
      if (expectsContinue) response.writeContinue();
      if (answerProbe(path, response, { ready: options.ready })) return;
      if (!options.serveOther(request, response)) answerPlain(response, 404, "not found");
    };
}

/** Starts the edge. UNAVAILABLE names the port when it is in use, INVALID_ARGUMENT an origin that is none. */
export async function createHttpEdge(options: HttpEdgeOptions): Promise<HttpEdge> {
  const answer = createAnswer(options);
  const server = createServer({
    maxHeaderSize: limits.maxHttpHeaderBytes,
    connectionsCheckingInterval: limits.httpTimeoutCheckMs,
  });
  server.on("request", answer(false));
  server.on("checkContinue", answer(true));
  server.on("clientError", answerBadRequest);
  server.headersTimeout = limits.httpHeadersTimeoutMs;
  server.requestTimeout = limits.httpRequestTimeoutMs;
  server.maxHeadersCount = limits.maxHttpHeaders;
  server.keepAliveTimeout = limits.httpKeepAliveMs;
  server.maxConnections = limits.maxHttpConnections;
  const { host = "127.0.0.1", reusePort = false, extraHosts: hosts = [] } = options;
  await listenOn(server, { host, port: options.port, reusePort });
  const { port } = server.address() as AddressInfo;
  const closeFurther = await listenAlso(server, { hosts, port, reusePort }).catch((error: unknown) => {
    server.close();
    throw error;
  });
  return {
    server,
    port,
    close: (graceMs = limits.httpCloseTimeoutMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), graceMs);
        const ended = new Promise((resolveOwn) => server.close(resolveOwn));
        void Promise.all([ended, closeFurther()]).then(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}
