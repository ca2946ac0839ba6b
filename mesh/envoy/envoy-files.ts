import { endpointFile, fileSource, loginCluster, loginClusterNames, otlpCluster } from "./clusters.ts";
import type { EnvoySettings, LoginTargets } from "./envoy-settings.ts";
import { httpListener, type RouteSource, tcpListener, udpListener } from "./listeners.ts";
import { loadAssignment } from "./load-assignments.ts";
import { routeConfiguration } from "./route-configuration.ts";
import { createRouteTable } from "./route-table.ts";
import { noted, toYaml, type Yaml } from "./to-yaml.ts";
import { any, socketAddress, typed } from "./typed.ts";

/** Texts of files by their names. */
export type EnvoyFiles = Readonly<Record<string, string>>;

const writtenBy =
  "# Written by `npm run chappe -- envoy config`; change the settings or the contracts, not this file.\n";

function overload({ maxConnections, maxHeapBytes }: EnvoySettings): Yaml {
  const atHeap = (action: string, share: number): Yaml => ({
    name: `envoy.overload_actions.${action}`,
    triggers: [{ name: "envoy.resource_monitors.fixed_heap", threshold: { value: share } }],
  });
  return {
    refresh_interval: "0.25s",
    resource_monitors: [
      typed("envoy.resource_monitors.fixed_heap", "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", {
        max_heap_size_bytes: maxHeapBytes,
      }),
      typed(
        "envoy.resource_monitors.global_downstream_max_connections",
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        { max_active_downstream_connections: maxConnections },
      ),
    ],
    actions: [
      atHeap("shrink_heap", 0.9),
      atHeap("disable_http_keepalive", 0.92),
      atHeap("stop_accepting_connections", 0.95),
      atHeap("stop_accepting_requests", 0.98),
    ],
  };
}

function runtime({ maxConnections }: EnvoySettings): Yaml {
  return {
    layers: [
      {
        name: "chappe",
        static_layer: {
          "overload.premature_reset_total_stream_count": noted(
            "Rapid reset: half of 500 streams gone within a second end the connection.",
            500,
          ),
          "overload.premature_reset_min_stream_lifetime_seconds": 1,
          "http.max_requests_per_io_cycle": 1,
          "envoy.resource_limits.listener.http.connection_limit": maxConnections,
          "envoy.resource_limits.listener.tcp.connection_limit": maxConnections,
        },
      },
    ],
  };
}

function listenersOf(settings: EnvoySettings, routes: RouteSource): Yaml[] {
  const { tcpPort, udpPort } = settings;
  return [
    httpListener(settings, createRouteTable(), routes),
    ...(tcpPort === undefined ? [] : [tcpListener(settings, tcpPort)]),
    ...(udpPort === undefined ? [] : [udpListener(settings, udpPort)]),
  ];
}

function bootstrap(settings: EnvoySettings, clusters: readonly Yaml[], routes: RouteSource, dynamic: Yaml | undefined) {
  const { adminPort, otlpAddress } = settings;
  return {
    node: { id: "chappe-edge", cluster: "chappe" },
    admin: noted("On this machine only: it can read and stop everything.", {
      address: socketAddress(`127.0.0.1:${adminPort}`),
    }),
    layered_runtime: runtime(settings),
    overload_manager: overload(settings),
    dynamic_resources: dynamic,
    static_resources: {
      listeners: listenersOf(settings, routes),
      clusters: [...clusters, ...(otlpAddress === undefined ? [] : [otlpCluster(otlpAddress)])],
    },
  };
}

/** One file, envoy.yaml, with the Login processes of the settings. */
export function staticFiles(settings: EnvoySettings): EnvoyFiles {
  const clusters = loginClusterNames(settings).map((name) =>
    loginCluster(name, settings, { kind: "inline" }, loadAssignment(name, settings.logins)),
  );
  const routes = { inline: routeConfiguration(settings, createRouteTable()) };
  return { "envoy.yaml": writtenBy + toYaml(bootstrap(settings, clusters, routes, undefined)) };
}

const resources = (list: readonly (readonly [string, Yaml])[]): string =>
  writtenBy + toYaml({ resources: list.map(([type, value]) => any(type, value as Record<string, Yaml>)) });

/** Files with where the Login processes are now, one for each cluster. */
export function endpointFiles(settings: EnvoySettings, logins: readonly LoginTargets[]): EnvoyFiles {
  const type = "envoy.config.endpoint.v3.ClusterLoadAssignment";
  return Object.fromEntries(
    loginClusterNames(settings).map((name) => [endpointFile(name), resources([[type, loadAssignment(name, logins)]])]),
  );
}

/** envoy.yaml, cds.yaml and rds.yaml that read each other, and the files of endpoints, from `directory`, an absolute path. */
export function dynamicFiles(settings: EnvoySettings, directory: string): EnvoyFiles {
  const clusters = loginClusterNames(settings).map(
    (name) =>
      [
        "envoy.config.cluster.v3.Cluster",
        loginCluster(name, settings, { kind: "files", directory }, undefined),
      ] as const,
  );
  const dynamic = { cds_config: fileSource(directory, "cds.yaml") };
  return {
    "envoy.yaml": writtenBy + toYaml(bootstrap(settings, [], { directory }, dynamic)),
    "cds.yaml": resources(clusters),
    "rds.yaml": resources([
      ["envoy.config.route.v3.RouteConfiguration", routeConfiguration(settings, createRouteTable())],
    ]),
  };
}
