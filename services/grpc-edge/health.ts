import type { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

/** Serves grpc.health.v1 of a process. */
export interface Health {
  addTo(server: Server): void;
  /** Not ready = NOT_SERVING, so that balancers send nothing new. */
  setReady(isReady: boolean): void;
}

/** Name of the process as a whole, by the health protocol. */
const all = "";

/** Makes it, ready. */
export function createHealth(): Health {
  const health = new HealthImplementation({ [all]: "SERVING" });
  return {
    addTo: (server) => health.addToServer(server),
    setReady: (isReady) => health.setStatus(all, isReady ? "SERVING" : "NOT_SERVING"),
  };
}
