import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import { createEntryRouter } from "@chappe/mesh/telemetry/entry-router.ts";
import type { Server } from "@grpc/grpc-js";
import { createGrpcEdge } from "../grpc-edge/grpc-edge.ts";
import { createHealth } from "../grpc-edge/health.ts";
import type { Config } from "./config.ts";
import { openRegistry } from "./open-registry.ts";
import type { Shared } from "./start-modules.ts";

/** What the gRPC port serves besides long connections. */
export interface GrpcServices {
  addTo(server: Server): void;
  /** What grpc.health.v1 says. */
  setReady(isReady: boolean): void;
  close(): Promise<void>;
}

/** Short calls, reflection and the registration of backends, for a process that has every role. */
export function openGrpcServices(
  { route, contracts, hops }: Shared,
  verifier: TokenVerifier,
  config: Config,
  logger: Logger,
): GrpcServices {
  const registry = openRegistry(route, contracts, config, logger);
  const health = createHealth();
  const router = createEntryRouter(route, hops);
  const edge = createGrpcEdge({ contracts, router, verifier, trustedProxies: config.trustedProxies });
  return {
    addTo(server) {
      registry.addTo(server);
      edge.addTo(server);
      health.addTo(server);
    },
    setReady: (isReady) => health.setReady(isReady),
    async close() {
      edge.close();
      await registry.close();
    },
  };
}
