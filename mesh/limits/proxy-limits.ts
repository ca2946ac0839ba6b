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
} as const;
