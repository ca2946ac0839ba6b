import { DeviceClass } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import type { LoginLimits, LoginOptions } from "../login/login-options.ts";
import type { Config } from "./config.ts";

/** Bounds, device policy and trusted proxies of Login by the settings. */
export function loginPolicyOf(config: Config): Pick<LoginOptions, "limits" | "singleDeviceClasses" | "trustedProxies"> {
  const singleDeviceClasses = config.singleDeviceClasses.map((name) => DeviceClass[name]);
  return { limits: loginLimitsOf(config), singleDeviceClasses, trustedProxies: config.trustedProxies };
}

/** Bounds of Login that the settings change. */
function loginLimitsOf({
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
