import type { LoginLimits } from "../login/login-options.ts";
import type { Config } from "./config.ts";

/** Bounds of Login that the settings change. */
export function loginLimitsOf({
  connectionsPerAddress,
  connectsPerSecondPerAddress: perSecond,
}: Config): Partial<LoginLimits> {
  return {
    ...(connectionsPerAddress && {
      maxConnectionsPerAddress: connectionsPerAddress,
      maxUnauthenticatedPerAddress: connectionsPerAddress,
    }),
    ...(perSecond && {
      connectsPerSecondPerAddress: perSecond,
      connectBurstPerAddress: perSecond,
      grpcConnectsPerSecondPerAddress: perSecond,
      grpcConnectBurstPerAddress: perSecond,
    }),
  };
}
