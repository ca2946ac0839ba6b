import { limits } from "../limits.ts";
import { corsMethods, corsRequestHeaders, corsResponseHeaders } from "../rpc/cors-headers.ts";
import type { EnvoySettings } from "./envoy-settings.ts";
import { edgeServiceName, type ServiceRoutes } from "./route-table.ts";
import { noted, type Yaml } from "./to-yaml.ts";
import { any, duration, tokenBucket } from "./typed.ts";

/** Path of the WebSocket endpoint. */
const webSocketPath = "/v1/socket";
/** Paths of gRPC methods of services that register, which no contract of ours names. */
export const anyMethodRegex = "/[a-z][A-Za-z0-9_.]*\\.[A-Z][A-Za-z0-9_]*/[A-Z][A-Za-z0-9_]*";

type Fields = Readonly<Record<string, Yaml>>;

const longStream: Fields = {
  timeout: "0s",
  idle_timeout: duration(limits.proxyStreamIdleMs),
  max_stream_duration: { max_stream_duration: "0s" },
};
const shortCall: Fields = {
  timeout: duration(limits.maxCallTimeoutMs),
  idle_timeout: duration(limits.proxyRequestIdleMs),
  max_stream_duration: { max_stream_duration: duration(limits.proxyRequestMs) },
};

const retryPolicy = (retryOn: string, more: Fields = {}): Yaml => ({
  retry_on: retryOn,
  num_retries: limits.proxyRetries,
  ...more,
  retry_back_off: { base_interval: "0.025s", max_interval: "0.25s" },
  retry_host_predicate: [
    {
      name: "envoy.retry_host_predicates.previous_hosts",
      typed_config: any("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
    },
  ],
  host_selection_retry_max_attempts: 3,
});
const grpcRetry = retryPolicy("connect-failure,refused-stream,reset-before-request,unavailable");
const httpRetry = retryPolicy("connect-failure,refused-stream,reset-before-request,retriable-status-codes", {
  retriable_status_codes: [503],
});

const isGrpc: Fields = { grpc: {} };
const notFound: Fields = { direct_response: { status: 404 } };

/** Methods of one service by name; all when the list is the whole of it. */
function pathOf(service: string, methods: readonly string[]): Fields {
  if (methods.length === 1) return { path: `/${service}/${methods[0]}` };
  return { safe_regex: { regex: `/${service.replaceAll(".", "\\.")}/(${methods.join("|")})` } };
}

/** A route for gRPC and one for Connect and gRPC-web. */
function bothRoutes(match: Fields, fields: Fields, retry: boolean): Yaml[] {
  return [
    {
      match: { ...match, ...isGrpc },
      route: { cluster: "login_grpc", ...fields, ...(retry && { retry_policy: grpcRetry }) },
    },
    { match, route: { cluster: "login_http", ...fields, ...(retry && { retry_policy: httpRetry }) } },
  ];
}

/** Listen and SendFrame go to the process that the client's address, or a header of its choice, falls to. */
const byClient: Fields = {
  hash_policy: [
    { header: { header_name: "x-chappe-affinity" }, terminal: true },
    { connection_properties: { source_ip: true } },
  ],
};

function edgeRoutes({ service, streams, idempotent, once }: ServiceRoutes): Yaml[] {
  return [
    { match: { ...pathOf(service, streams), ...isGrpc }, route: { cluster: "login_grpc", ...longStream } },
    { match: pathOf(service, streams), route: { cluster: "login_listen", ...longStream, ...byClient } },
    {
      match: pathOf(service, [...idempotent, ...once]),
      route: { cluster: "login_listen", ...shortCall, ...byClient },
    },
  ];
}

function serviceRoutes(routes: ServiceRoutes): Yaml[] {
  const { service, idempotent, once, closed } = routes;
  const made: Yaml[] = [];
  if (service === edgeServiceName) made.push(...edgeRoutes(routes));
  else {
    if (idempotent.length > 0) made.push(...bothRoutes(pathOf(service, idempotent), shortCall, true));
    if (once.length > 0) made.push(...bothRoutes(pathOf(service, once), shortCall, false));
  }
  // What the contract does not open to clients looks like a method that there is none of.
  made.push({ match: { prefix: `/${service}/` }, ...notFound });
  const [first, ...rest] = made;
  const about = closed.length === 0 ? service : `${service}, without ${closed.join(", ")}`;
  return [noted(about, first!), ...rest];
}

function corsPolicy(origins: readonly string[]): Yaml {
  return any("envoy.extensions.filters.http.cors.v3.CorsPolicy", {
    allow_origin_string_match:
      origins[0] === "*" ? [{ safe_regex: { regex: ".*" } }] : origins.map((exact) => ({ exact })),
    allow_methods: corsMethods.join(", "),
    allow_headers: corsRequestHeaders.join(", "),
    expose_headers: corsResponseHeaders.join(", "),
    max_age: String(limits.httpPreflightMaxAgeMs / 1000),
  });
}

function rateLimit({ requestsPerSecond, requestsPerSecondPerAddress }: EnvoySettings): Yaml {
  return any("envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit", {
    stat_prefix: "requests",
    token_bucket: tokenBucket(requestsPerSecond),
    filter_enabled: { default_value: { numerator: 100 } },
    filter_enforced: { default_value: { numerator: 100 } },
    rate_limits: [{ actions: [{ remote_address: {} }] }],
    max_dynamic_descriptors: limits.maxProxyAddresses,
    descriptors: [
      noted("A bucket for each client address.", {
        entries: [{ key: "remote_address" }],
        token_bucket: tokenBucket(requestsPerSecondPerAddress),
      }),
    ],
  });
}

const pages: Yaml[] = [
  noted("Probes of Login, health and reflection of its gRPC port are not for clients.", {
    match: { prefix: "/grpc." },
    ...notFound,
  }),
  noted("Services that register, which Login and Route know.", {
    match: { safe_regex: { regex: anyMethodRegex }, ...isGrpc },
    route: { cluster: "login_grpc", ...shortCall },
  }),
  { match: { safe_regex: { regex: anyMethodRegex } }, route: { cluster: "login_http", ...shortCall } },
  noted("The chat page and the JWKS.", {
    match: { prefix: "/", headers: [{ name: ":method", string_match: { safe_regex: { regex: "GET|HEAD" } } }] },
    route: { cluster: "login_http", ...shortCall },
  }),
];

/** All routes of the HTTP listener, made from the contracts. */
export function routeConfiguration(settings: EnvoySettings, table: readonly ServiceRoutes[]): Yaml {
  const { corsOrigins } = settings;
  return {
    name: "chappe",
    virtual_hosts: [
      {
        name: "chappe",
        domains: ["*"],
        typed_per_filter_config: {
          ...(corsOrigins.length > 0 && { "envoy.filters.http.cors": corsPolicy(corsOrigins) }),
          "envoy.filters.http.local_ratelimit": rateLimit(settings),
        },
        routes: [
          noted("Long connections over WebSocket: no time limit; our heartbeats keep them from being idle.", {
            match: { path: webSocketPath },
            route: { cluster: "login_http", ...longStream, upgrade_configs: [{ upgrade_type: "websocket" }] },
          }),
          ...table.flatMap(serviceRoutes),
          ...pages,
        ],
      },
    ],
  };
}
