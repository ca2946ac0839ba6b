import { randomBytes } from "node:crypto";
import { createRedisHotWindow } from "@chappe/mesh/engines/redis-hot-window/redis-hot-window.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import type { HotWindow } from "@chappe/mesh/ports/hot-window.ts";
import { type Config, coreRolesOf } from "./config.ts";

const dayMs = 86_400_000;
const dataIdBytes = 8;

/**
 * The hot window that the settings name. None beside the embedded store unless one is named, since its newest messages
 * are in memory anyway, and none where nothing reads or writes messages. It belongs to these stores alone: others that find
 * the same Redis, such as those of a data directory made anew, see nothing of it.
 */
export async function openHotWindow(config: Config, business: BusinessStore): Promise<HotWindow | undefined> {
  const { hotWindowAddresses, redisAddresses, mysqlUrl, hotWindowMessages: maxMessages } = config;
  const { hotWindowBytes: maxBytes, hotWindowDays } = config;
  const otherwise = mysqlUrl === undefined ? [] : redisAddresses;
  const addresses = hotWindowAddresses.length > 0 ? hotWindowAddresses : otherwise;
  const roles = coreRolesOf(config);
  const isUsed = roles.has("msg-writer") || roles.has("msg-reader");
  if (addresses.length === 0 || maxMessages === 0 || !isUsed) return undefined;
  const maxAgeMs = Math.round(hotWindowDays * dayMs);
  const id = await business.secret("hot-window-data-id", async () => new Uint8Array(randomBytes(dataIdBytes)));
  return createRedisHotWindow({
    addresses,
    dataId: Buffer.from(id).toString("hex"),
    bounds: { maxMessages, maxBytes, maxAgeMs },
  });
}
