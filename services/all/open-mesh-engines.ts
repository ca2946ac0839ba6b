import { createRedisDirectory } from "@chappe/mesh/engines/redis-directory/redis-directory.ts";
import { createRedisPresence } from "@chappe/mesh/engines/redis-presence/redis-presence.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Config } from "./config.ts";
import type { MeshEngines } from "./start-roles.ts";

/** Engines that the processes of a mesh share, by the settings. INVALID_ARGUMENT when the settings name none. */
export function openMeshEngines({ redisAddresses }: Config): MeshEngines & { close(): Promise<void> } {
  if (redisAddresses.length === 0) {
    const message = "is needed when not every role runs in this process";
    const violations = [{ field: "redisAddresses", rule: "required", message }];
    throw new ChappeError("INVALID_ARGUMENT", `redisAddresses: ${message}`, { violations });
  }
  const presence = createRedisPresence({ addresses: redisAddresses });
  const directory = createRedisDirectory({ addresses: redisAddresses });
  return {
    presence,
    directory,
    async close() {
      await presence.close();
      await directory.close();
    },
  };
}
