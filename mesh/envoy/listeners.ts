import { limits } from "../limits.ts";
import { fileSource } from "./clusters.ts";
import type { EnvoySettings } from "./envoy-settings.ts";
import { accessLog, httpFilters, localReplies, tracing } from "./http-filters.ts";
import type { ServiceRoutes } from "./route-table.ts";
import { noted, type Yaml } from "./to-yaml.ts";
import { duration, socketAddress, tokenBucket, typed } from "./typed.ts";

/** The routes of the HTTP listener: written into it, or a file of the directory. */
export type RouteSource = { readonly inline: Yaml } | { readonly directory: string };

const hostPort = (host: string, port: number): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);

function transportSocket({ tls }: EnvoySettings, protocols: readonly string[]): Record<string, Yaml> {
  if (tls === undefined) return {};
  return {
    transport_socket: typed(
      "envoy.transport_sockets.tls",
      "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      {
        common_tls_context: {
          alpn_protocols: protocols,
          tls_params: { tls_minimum_protocol_version: "TLSv1_2" },
          tls_certificates: [
            { certificate_chain: { filename: tls.certificateFile }, private_key: { filename: tls.keyFile } },
          ],
        },
      },
    ),
  };
}

/** Bounds of connections, before anything is read of them. */
function connectionFilters(name: string, { maxConnections, connectsPerSecond }: EnvoySettings): Yaml[] {
  return [
    typed(
      "envoy.filters.network.connection_limit",
      "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
      {
        stat_prefix: name,
        max_connections: maxConnections,
      },
    ),
    typed(
      "envoy.filters.network.local_ratelimit",
      "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit",
      {
        stat_prefix: name,
        token_bucket: tokenBucket(connectsPerSecond),
      },
    ),
  ];
}

function connectionManager(settings: EnvoySettings, table: readonly ServiceRoutes[], routes: RouteSource): Yaml {
  const { trustedHops, accessLogFile, otlpAddress, traceSampling } = settings;
  const type = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
  return typed("envoy.filters.network.http_connection_manager", type, {
    stat_prefix: "http",
    codec_type: "AUTO",
    ...("inline" in routes
      ? { route_config: routes.inline }
      : { rds: { route_config_name: "chappe", config_source: fileSource(routes.directory, "rds.yaml") } }),
    use_remote_address: noted("The client's address is the peer's; Login takes it from X-Forwarded-For.", true),
    xff_num_trusted_hops: trustedHops,
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: "REJECT_REQUEST",
    strip_trailing_host_dot: true,
    common_http_protocol_options: {
      headers_with_underscores_action: "REJECT_REQUEST",
      idle_timeout: duration(limits.proxyConnectionIdleMs),
      max_headers_count: limits.maxHttpHeaders,
    },
    max_request_headers_kb: limits.maxProxyHeaderKib,
    http2_protocol_options: {
      max_concurrent_streams: limits.maxGrpcStreamsPerConnection,
      initial_stream_window_size: limits.proxyStreamWindowBytes,
      initial_connection_window_size: limits.proxyConnectionWindowBytes,
    },
    request_headers_timeout: duration(limits.httpHeadersTimeoutMs),
    stream_idle_timeout: duration(limits.proxyRequestIdleMs),
    drain_timeout: duration(limits.proxyDrainMs),
    upgrade_configs: [noted("Only on the route that asks for it.", { upgrade_type: "websocket", enabled: false })],
    tracing: tracing(otlpAddress, traceSampling),
    access_log: [accessLog(accessLogFile, "http")],
    local_reply_config: localReplies,
    http_filters: httpFilters(table),
  });
}

/** TLS, HTTP/1.1 and HTTP/2: Connect, gRPC, gRPC-web, WebSocket, the page. */
export function httpListener(settings: EnvoySettings, table: readonly ServiceRoutes[], routes: RouteSource): Yaml {
  const inspector = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
  return {
    name: "http",
    address: socketAddress(hostPort(settings.host, settings.port)),
    per_connection_buffer_limit_bytes: limits.proxyBufferBytes,
    ...(settings.tls !== undefined && {
      listener_filters: [typed("envoy.filters.listener.tls_inspector", inspector)],
      listener_filters_timeout: duration(limits.helloTimeoutMs),
    }),
    filter_chains: [
      {
        ...transportSocket(settings, ["h2", "http/1.1"]),
        transport_socket_connect_timeout: duration(limits.helloTimeoutMs),
        filters: [...connectionFilters("http", settings), connectionManager(settings, table, routes)],
      },
    ],
  };
}

/** Long connections over TCP; Login learns the client's address from a PROXY v2 header. */
export function tcpListener(settings: EnvoySettings, port: number): Yaml {
  return {
    name: "tcp",
    address: socketAddress(hostPort(settings.host, port)),
    per_connection_buffer_limit_bytes: limits.proxyBufferBytes,
    filter_chains: [
      {
        ...transportSocket(settings, []),
        transport_socket_connect_timeout: duration(limits.helloTimeoutMs),
        filters: [
          ...connectionFilters("tcp", settings),
          typed("envoy.filters.network.tcp_proxy", "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", {
            stat_prefix: "tcp",
            cluster: "login_tcp",
            idle_timeout: duration(limits.proxyStreamIdleMs),
            access_log: [accessLog(settings.accessLogFile, "tcp")],
          }),
        ],
      },
    ],
  };
}

/** Long connections over UDP. Clients do better to reach Login itself: here all come from Envoy's address. */
export function udpListener(settings: EnvoySettings, port: number): Yaml {
  return {
    name: "udp",
    address: socketAddress(hostPort(settings.host, port), "UDP"),
    listener_filters: [
      typed("envoy.filters.udp_listener.udp_proxy", "envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig", {
        stat_prefix: "udp",
        matcher: {
          on_no_match: {
            action: {
              name: "route",
              typed_config: {
                "@type": "type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.Route",
                cluster: "login_udp",
              },
            },
          },
        },
        idle_timeout: duration(limits.proxyStreamIdleMs),
        upstream_socket_config: { max_rx_datagram_size: limits.maxUdpDatagramBytes + 1 },
        hash_policies: [{ source_ip: true }],
      }),
    ],
  };
}
