import { readFileSync } from "node:fs";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { LiveContracts } from "@chappe/mesh/rpc/live-contracts.ts";
import { z } from "zod";
import type { BackendIdentity } from "../route/backend-identities.ts";
import type { Route } from "../route/create-route.ts";
import { createRegistry, type Registry } from "../route/registry.ts";
import { type Config, isWhole } from "./config.ts";

/** What development mode of a single process lets anybody register with. */
const devBackend = { identity: "dev", secret: "telegraph" } as const;

const leastSecretLength = 16;
const schema = z
  .array(
    z.strictObject({
      name: z.string().regex(/^[a-z0-9-]{1,40}$/),
      secret: z.string().min(leastSecretLength),
      svids: z.array(z.int().min(1_000).max(65_535)).min(1),
      mayKick: z.boolean().optional(),
    }),
  )
  .max(1_000);

/** The identities of the settings; INVALID_ARGUMENT when the file that has them cannot be read or is not of their form. */
function readIdentities(config: Config): BackendIdentity[] {
  const { backendsFile, devMode } = config;
  const dev: BackendIdentity[] =
    devMode && isWhole(config) ? [{ name: devBackend.identity, secret: devBackend.secret, svids: "any" }] : [];
  if (backendsFile === undefined) return dev;
  try {
    return [...dev, ...schema.parse(JSON.parse(readFileSync(backendsFile, "utf8")))];
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : "it cannot be read as JSON";
    throw new ChappeError("INVALID_ARGUMENT", `backendsFile: ${backendsFile}: ${reason}`, { cause });
  }
}

/** Registration of gRPC servers at this process's Route, by the identities of the settings. */
export function openRegistry(route: Route, contracts: LiveContracts, config: Config, logger: Logger): Registry {
  return createRegistry({ route, contracts, identities: readIdentities(config), logger });
}
