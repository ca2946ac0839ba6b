import { readFileSync } from "node:fs";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Config } from "./config.ts";

/** What a process knows of the mesh that it is a part of. */
export interface MeshSettings {
  /** Unique among all processes. */
  readonly instanceId: string;
  /** The shared secret of links, at least 32 bytes. */
  readonly secret: Uint8Array;
  /** Routes to dial, "host:port" each; those of the Directory are added to them. */
  readonly routes: readonly string[];
}

const leastSecretBytes = 32;

/** Reads the secret of links. INVALID_ARGUMENT when the file cannot be read or is too short. */
export function readMeshSettings({ instanceId, linkSecretFile, routes }: Config): MeshSettings {
  const refuse = (message: string, cause?: unknown): never => {
    throw new ChappeError("INVALID_ARGUMENT", `linkSecretFile: ${message}`, {
      violations: [{ field: "linkSecretFile", rule: "file", message }],
      cause,
    });
  };
  if (linkSecretFile === undefined) return refuse("is needed when not every role runs in this process");
  let secret: Buffer;
  try {
    secret = readFileSync(linkSecretFile);
  } catch (cause) {
    return refuse(`${linkSecretFile} cannot be read`, cause);
  }
  if (secret.length < leastSecretBytes) return refuse(`must hold at least ${leastSecretBytes} bytes`);
  return { instanceId, secret, routes };
}
