import { defaultTokenAudience } from "../auth/token-format.ts";
import { limits } from "../limits.ts";
import { anyMethodRegex } from "./route-configuration.ts";
import type { ServiceRoutes } from "./route-table.ts";
import { noted, type Yaml } from "./to-yaml.ts";
import { duration, typed } from "./typed.ts";

/** Calls that need no token at the proxy, and then everything of the form of a call that needs one. */
function tokenRules(table: readonly ServiceRoutes[]): Yaml[] {
  const open = table.flatMap(({ service, open: methods }) => methods.map((method) => `/${service}/${method}`));
  return [
    ...open.map((path) => ({ match: { path } })),
    noted("Every other method, those of services that register too.", {
      match: { safe_regex: { regex: anyMethodRegex } },
      requires: { provider_name: "chappe" },
    }),
  ];
}

/** Signature, issuer, audience and times of tokens. Whether one was revoked, Login says. */
function tokenFilter(table: readonly ServiceRoutes[]): Yaml {
  const { issuer, audience } = defaultTokenAudience;
  return typed("envoy.filters.http.jwt_authn", "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication", {
    providers: {
      chappe: {
        issuer,
        audiences: [audience],
        require_expiration: true,
        clock_skew_seconds: limits.proxyTokenLeewayMs / 1000,
        from_headers: [{ name: "Authorization", value_prefix: "Bearer " }],
        forward: true,
        jwt_cache_config: { jwt_cache_size: limits.maxProxyTokens },
        remote_jwks: {
          http_uri: {
            uri: "http://login/.well-known/jwks.json",
            cluster: "login_http",
            timeout: duration(limits.proxyConnectTimeoutMs),
          },
          cache_duration: duration(limits.proxyJwksMs),
          async_fetch: { fast_listener: true, failed_refetch_duration: "1s" },
          retry_policy: { num_retries: limits.proxyRetries },
        },
      },
    },
    bypass_cors_preflight: true,
    rules: tokenRules(table),
  });
}

/** What a request goes through, in order. */
export function httpFilters(table: readonly ServiceRoutes[]): Yaml[] {
  return [
    typed("envoy.filters.http.health_check", "envoy.extensions.filters.http.health_check.v3.HealthCheck", {
      pass_through_mode: false,
      cluster_min_healthy_percentages: { login_http: { value: 1 } },
      headers: [noted("For whoever balances several Envoys.", { name: ":path", string_match: { exact: "/readyz" } })],
    }),
    typed("envoy.filters.http.cors", "envoy.extensions.filters.http.cors.v3.Cors"),
    typed("envoy.filters.http.local_ratelimit", "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit", {
      stat_prefix: "requests",
    }),
    tokenFilter(table),
    typed("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", {
      suppress_envoy_headers: true,
    }),
  ];
}

const codes: readonly (readonly [number, string])[] = [
  [400, "invalid_argument"],
  [401, "unauthenticated"],
  [404, "unimplemented"],
  [408, "deadline_exceeded"],
  [413, "resource_exhausted"],
  [429, "resource_exhausted"],
  [431, "resource_exhausted"],
  [503, "unavailable"],
  [504, "deadline_exceeded"],
];

/** What Envoy answers by itself, as Connect errors. Calls of gRPC get a gRPC status without this. */
export const localReplies: Yaml = {
  mappers: codes.map(([status, code]) => ({
    filter: {
      status_code_filter: {
        comparison: { op: "EQ", value: { default_value: status, runtime_key: `chappe.status_${status}` } },
      },
    },
    body_format_override: { json_format: { code, message: "%LOCAL_REPLY_BODY%" } },
  })),
  body_format: { json_format: { code: "unknown", message: "%LOCAL_REPLY_BODY%" } },
};

/** One line of JSON a request or connection; no query strings, no tokens. */
export function accessLog(path: string | undefined, kind: "http" | "tcp"): Yaml {
  const common = {
    time: "%START_TIME%",
    client: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    flags: "%RESPONSE_FLAGS%",
    details: kind === "http" ? "%RESPONSE_CODE_DETAILS%" : "%CONNECTION_TERMINATION_DETAILS%",
    durationMs: "%DURATION%",
    bytesIn: "%BYTES_RECEIVED%",
    bytesOut: "%BYTES_SENT%",
    upstream: "%UPSTREAM_HOST%",
  };
  const http = {
    method: "%REQ(:METHOD)%",
    path: "%PATH(NQ)%",
    protocol: "%PROTOCOL%",
    status: "%RESPONSE_CODE%",
    grpcStatus: "%GRPC_STATUS(CAMEL_STRING)%",
    userAgent: "%REQ(USER-AGENT):120%",
    requestId: "%REQ(X-REQUEST-ID)%",
    traceId: "%TRACE_ID%",
    traceparent: "%REQ(TRACEPARENT):55%",
  };
  const log_format = { json_format: { ...common, ...(kind === "http" ? http : {}) } };
  return path === undefined
    ? typed("envoy.access_loggers.stdout", "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", { log_format })
    : typed("envoy.access_loggers.file", "envoy.extensions.access_loggers.file.v3.FileAccessLog", { path, log_format });
}

/** Envoy's own spans, joined to those of the trace that the request brings; nothing without a collector. */
export function tracing(address: string | undefined, sampling: number): Yaml | undefined {
  if (address === undefined) return undefined;
  return {
    provider: typed("envoy.tracers.opentelemetry", "envoy.config.trace.v3.OpenTelemetryConfig", {
      grpc_service: { envoy_grpc: { cluster_name: "otlp_collector" }, timeout: "0.5s" },
      service_name: "chappe-envoy",
    }),
    random_sampling: { value: sampling },
    spawn_upstream_span: true,
  };
}
