import { resolve } from "node:path";
import { parseEnvoySettings, readEnvoySettings } from "@chappe/mesh/envoy/envoy-settings.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";
import { createEnvoyControl } from "../envoy-control/envoy-control.ts";
import type { Config } from "./config.ts";
import type { RunningRole } from "./running-role.ts";

/** The role that writes Envoy's files. What it wrote stays when it ends, and Envoy goes on with it. */
export function startEnvoyControl(config: Config, directory: Directory, logger: Logger): RunningRole {
  const { envoySettingsFile: file, envoyDirectory } = config;
  const settings = file === undefined ? parseEnvoySettings({}) : readEnvoySettings(file);
  const control = createEnvoyControl({ directory, settings, path: resolve(envoyDirectory), logger });
  return {
    ready: () => control.ready(),
    drain: async () => undefined,
    close: async () => control.close(),
  };
}
