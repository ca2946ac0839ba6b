/** Bounds of the proxy before Login, and of what Login lets a proxy do. A part of mesh/limits.ts, which says how they are used. */
export const proxyLimits = {
  /** Networks of proxies whose word about the client's address is taken; further addresses that a process listens on. */
  maxTrustedProxies: 64,
  maxExtraHosts: 16,
  /** HTTP/2 streams that a connection from a trusted proxy may reset at once and per second: it carries many clients. */
  grpcProxyStreamResetBurst: 5_000,
  grpcProxyStreamResetsPerSecond: 1_000,
  /** An idle connection of the HTTP port is closed after so long. A proxy gives its own up sooner. */
  httpKeepAliveMs: 30_000,
  /** Envoy: client connections, new ones and requests a second, those of one address, UDP sessions, Login targets, heap. */
  maxProxyConnections: 18_000,
  proxyConnectsPerSecond: 2_000,
  proxyRequestsPerSecond: 20_000,
  proxyRequestsPerSecondPerAddress: 500,
  maxProxyAddresses: 20_000,
  maxProxyUdpSessions: 10_000,
  maxProxyTargets: 1_000,
  maxProxyHeapBytes: 1024 * 1024 * 1024,
  /** Envoy: a long stream that is silent so long is cut; over limits.heartbeatTimeoutMs, so that Login says it first. */
  proxyStreamIdleMs: 90_000,
  /** Envoy: other requests without a byte for so long, and their time in all; connections without a request. */
  proxyRequestIdleMs: 30_000,
  proxyRequestMs: 90_000,
  proxyConnectionIdleMs: 60_000,
  /** Envoy: an idle connection to Login; under limits.httpKeepAliveMs and limits.grpcIdleConnectionMs, so that Envoy ends it. */
  proxyUpstreamIdleMs: 20_000,
  proxyConnectTimeoutMs: 2_000,
  /** Envoy: bytes waiting for one connection, window of one stream and of one HTTP/2 connection, bytes of headers. */
  proxyBufferBytes: 32 * 1024,
  proxyStreamWindowBytes: 64 * 1024,
  proxyConnectionWindowBytes: 1024 * 1024,
  maxProxyHeaderKib: 16,
  /** Envoy: requests in hand and waiting for a connection, to all Logins together. */
  maxProxyRequests: 20_000,
  maxProxyPendingRequests: 4_096,
  /** Envoy: retries of idempotent calls, share of the calls in hand that may be retries. */
  proxyRetries: 2,
  proxyRetryBudgetPercent: 10,
  /** Envoy: Login is asked for its health so often and has so long to answer; streams last so long after the drain began. */
  proxyHealthIntervalMs: 1_000,
  proxyHealthTimeoutMs: 1_000,
  proxyDrainMs: 5_000,
  /** Envoy: tokens whose signature is remembered; the JWKS is fetched again so often. */
  maxProxyTokens: 10_000,
  proxyJwksMs: 60_000,
  /** Changes of the Directory wait so long for company before Envoy's files are written; a write that failed is tried again. */
  proxyFilesDelayMs: 20,
  proxyFilesRetryMs: 1_000,
  /** Envoy: tokens this much beyond their times are still good; clocks of machines differ. */
  proxyTokenLeewayMs: 5_000,
} as const;
