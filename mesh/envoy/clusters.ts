import { limits } from "../limits.ts";
import type { EnvoySettings } from "./envoy-settings.ts";
import { noted, type Yaml } from "./to-yaml.ts";
import { any, duration, socketAddress, typed } from "./typed.ts";

/** Clusters of Login processes, by the door that they lead to. */
export type LoginCluster = "login_http" | "login_listen" | "login_grpc" | "login_tcp" | "login_udp";

/** Where endpoints of a cluster come from: written beside it, or a file that is moved into place. */
export type EndpointSource = { readonly kind: "inline" } | { readonly kind: "files"; readonly directory: string };

/** Name of the file with the endpoints of a cluster: Envoy wants one of them a file. */
export const endpointFile = (cluster: LoginCluster): string => `eds-${cluster}.yaml`;

/** A file of resources that Envoy reads again whenever it is replaced. */
export const fileSource = (directory: string, name: string): Yaml => ({
  resource_api_version: "V3",
  path_config_source: { path: `${directory}/${name}`, watched_directory: { path: directory } },
});

const http2 = {
  max_concurrent_streams: limits.maxGrpcStreamsPerConnection,
  initial_stream_window_size: limits.proxyStreamWindowBytes,
  initial_connection_window_size: limits.proxyConnectionWindowBytes,
};

function protocolOptions(kind: "http1" | "http2"): Yaml {
  const explicit = kind === "http1" ? { http_protocol_options: {} } : { http2_protocol_options: http2 };
  return {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": any(
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      {
        common_http_protocol_options: { idle_timeout: duration(limits.proxyUpstreamIdleMs) },
        explicit_http_config: explicit,
      },
    ),
  };
}

function healthCheck(check: Yaml): Yaml {
  return noted("A Login that drains says so here, and gets nothing new.", [
    {
      timeout: duration(limits.proxyHealthTimeoutMs),
      interval: duration(limits.proxyHealthIntervalMs),
      no_traffic_interval: duration(limits.proxyHealthIntervalMs),
      unhealthy_interval: duration(limits.proxyHealthIntervalMs),
      unhealthy_threshold: 2,
      healthy_threshold: 1,
      ...(check as Record<string, Yaml>),
    },
  ]);
}

const readyz = { http_health_check: { path: "/readyz" } };

const outlierDetection = noted(
  "Only connections that fail count: an error that a client can provoke must not take a Login out.",
  {
    split_external_local_origin_errors: true,
    consecutive_local_origin_failure: limits.outlierFailures,
    enforcing_consecutive_5xx: 0,
    enforcing_consecutive_gateway_failure: 0,
    enforcing_success_rate: 0,
    enforcing_local_origin_success_rate: 0,
    interval: duration(limits.outlierEjectMs),
    base_ejection_time: duration(limits.outlierEjectMs),
    max_ejection_time: duration(limits.maxOutlierEjectMs),
    max_ejection_percent: 50,
  },
);

function circuitBreakers({ maxConnections, udpSessions }: EnvoySettings, cluster: LoginCluster): Yaml {
  const max = cluster === "login_udp" ? udpSessions : maxConnections;
  return {
    thresholds: [
      {
        max_connections: max,
        max_pending_requests: limits.maxProxyPendingRequests,
        max_requests: Math.max(max, limits.maxProxyRequests),
        retry_budget: {
          budget_percent: { value: limits.proxyRetryBudgetPercent },
          min_retry_concurrency: limits.proxyRetries,
        },
      },
    ],
  };
}

/** What differs from cluster to cluster. */
const ownFields: Readonly<Record<LoginCluster, Readonly<Record<string, Yaml>>>> = {
  login_http: {
    lb_policy: "LEAST_REQUEST",
    health_checks: healthCheck(readyz),
    typed_extension_protocol_options: protocolOptions("http1"),
  },
  login_listen: {
    lb_policy: noted("A Listen stream and its SendFrame calls have to meet in one process.", "RING_HASH"),
    health_checks: healthCheck(readyz),
    typed_extension_protocol_options: protocolOptions("http1"),
  },
  login_grpc: {
    lb_policy: "LEAST_REQUEST",
    health_checks: healthCheck({ grpc_health_check: {} }),
    typed_extension_protocol_options: protocolOptions("http2"),
  },
  login_tcp: {
    lb_policy: "LEAST_REQUEST",
    health_checks: noted("Asked on the HTTP port of the same process, which wants no PROXY header.", [
      {
        timeout: duration(limits.proxyHealthTimeoutMs),
        interval: duration(limits.proxyHealthIntervalMs),
        no_traffic_interval: duration(limits.proxyHealthIntervalMs),
        unhealthy_interval: duration(limits.proxyHealthIntervalMs),
        unhealthy_threshold: 2,
        healthy_threshold: 1,
        ...readyz,
        transport_socket_match_criteria: { for: "health" },
      },
    ]),
    transport_socket_matches: [
      {
        name: "health",
        match: { for: "health" },
        transport_socket: typed(
          "envoy.transport_sockets.raw_buffer",
          "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
        ),
      },
    ],
    transport_socket: typed(
      "envoy.transport_sockets.upstream_proxy_protocol",
      "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
      {
        config: { version: "V2" },
        transport_socket: typed(
          "envoy.transport_sockets.raw_buffer",
          "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
        ),
      },
    ),
  },
  login_udp: { lb_policy: "RING_HASH" },
};

/** The clusters of Login that the settings need. */
export function loginClusterNames({ tcpPort, udpPort }: EnvoySettings): LoginCluster[] {
  return [
    "login_http",
    "login_listen",
    "login_grpc",
    ...(tcpPort === undefined ? [] : (["login_tcp"] as const)),
    ...(udpPort === undefined ? [] : (["login_udp"] as const)),
  ];
}

/** One cluster of Login processes; `assignment` = its endpoints when they are written beside it. */
export function loginCluster(
  name: LoginCluster,
  settings: EnvoySettings,
  source: EndpointSource,
  assignment: Yaml | undefined,
): Yaml {
  const endpoints: Record<string, Yaml> =
    source.kind === "inline"
      ? { type: "STRICT_DNS", load_assignment: assignment! }
      : { type: "EDS", eds_cluster_config: { eds_config: fileSource(source.directory, endpointFile(name)) } };
  return {
    name,
    ...endpoints,
    connect_timeout: duration(limits.proxyConnectTimeoutMs),
    per_connection_buffer_limit_bytes: limits.proxyBufferBytes,
    ignore_health_on_host_removal: true,
    common_lb_config: { healthy_panic_threshold: { value: 1 } },
    circuit_breakers: circuitBreakers(settings, name),
    ...(name === "login_udp" ? {} : { outlier_detection: outlierDetection }),
    ...ownFields[name],
  };
}

/** Where Envoy's own spans go. */
export function otlpCluster(address: string): Yaml {
  return {
    name: "otlp_collector",
    type: "STRICT_DNS",
    connect_timeout: duration(limits.proxyConnectTimeoutMs),
    typed_extension_protocol_options: protocolOptions("http2"),
    load_assignment: {
      cluster_name: "otlp_collector",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(address) } }] }],
    },
  };
}
