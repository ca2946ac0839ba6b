import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { answerPlain, answerProbe, type Readiness } from "@chappe/mesh/lifecycle/answer-probe.ts";
import { listenOn } from "@chappe/mesh/lifecycle/listen-on.ts";
import { limits } from "@chappe/mesh/limits.ts";

import type { ServeOps } from "./ops-pages.ts";

/** What createOpsServer needs. */
export interface OpsServerOptions extends Readiness {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Other paths. @default there are none */
  readonly serve?: ServeOps;
}

/** Answers those who watch the process. */
export interface OpsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves /livez (the process turns) and /readyz (it can do its work). UNAVAILABLE names the port when it is in use. */
export async function createOpsServer({ host, port, serve, ...readiness }: OpsServerOptions): Promise<OpsServer> {
  const server = createServer((request, response) => {
    const isAnswered = answerProbe(request.url ?? "", response, readiness) || serve?.(request, response);
    if (isAnswered !== true) answerPlain(response, 404, "not found");
  });
  server.headersTimeout = limits.httpHeadersTimeoutMs;
  server.requestTimeout = limits.httpRequestTimeoutMs;
  server.maxConnections = limits.maxOpsConnections;
  await listenOn(server, { host, port });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
