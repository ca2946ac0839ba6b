import type { LoginCluster } from "./clusters.ts";
import type { LoginTargets } from "./envoy-settings.ts";
import type { Yaml } from "./to-yaml.ts";
import { socketAddress } from "./typed.ts";

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1));

/** The addresses of a process for one cluster, with the port that is asked for its health when it is another one. */
function targetsOf(cluster: LoginCluster, login: LoginTargets): { address: string; healthPort?: number }[] {
  switch (cluster) {
    case "login_http":
      return login.http.map((address) => ({ address }));
    // One address a process: the ring is of processes.
    case "login_listen":
      return [{ address: login.http[0]! }];
    case "login_grpc":
      return login.grpc === undefined ? [] : [{ address: login.grpc }];
    case "login_tcp":
      return login.tcp.map((address) => ({ address, healthPort: portOf(login.http[0]!) }));
    case "login_udp":
      return login.udp === undefined ? [] : [{ address: login.udp }];
  }
}

/** The endpoints of a cluster. */
export function loadAssignment(cluster: LoginCluster, logins: readonly LoginTargets[]): Yaml {
  const targets = new Map(
    logins.flatMap((login) => targetsOf(cluster, login)).map((target) => [target.address, target] as const),
  );
  return {
    cluster_name: cluster,
    endpoints: [
      {
        lb_endpoints: [...targets.values()].map(({ address, healthPort }) => ({
          endpoint: {
            address: socketAddress(address, cluster === "login_udp" ? "UDP" : undefined),
            ...(healthPort !== undefined && { health_check_config: { port_value: healthPort } }),
          },
        })),
      },
    ],
  };
}
