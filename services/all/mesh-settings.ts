import { readFileSync } from "node:fs";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { type MeshTls, openMeshTls } from "@chappe/mesh/tls/open-mesh-tls.ts";
import type { Config } from "./config.ts";

/** What a process knows of the mesh that it is a part of. */
export interface MeshSettings {
  /** Unique among all processes. */
  readonly instanceId: string;
  /** The shared secret of links, at least 32 bytes. */
  readonly secret: Uint8Array;
  /** Certificates of the mesh; undefined = links are clear text and the secret alone is proof. */
  readonly tls: MeshTls | undefined;
  /** Routes to dial, "host:port" each; those of the Directory are added to them. */
  readonly routes: readonly string[];
}

const leastSecretBytes = 32;

/** INVALID_ARGUMENT when TLS is on and a file of it is missing or not good. */
function readTls(config: Config): MeshTls | undefined {
  const { devMode, meshTls = !devMode, tlsCertFile: certFile, tlsKeyFile: keyFile, tlsCaFile: caFile } = config;
  if (!meshTls) return undefined;
  if (certFile !== undefined && keyFile !== undefined && caFile !== undefined)
    return openMeshTls({ certFile, keyFile, caFile }, config.tlsTrustDomain);
  const missing = Object.entries({ tlsCertFile: certFile, tlsKeyFile: keyFile, tlsCaFile: caFile });
  const violations = missing.flatMap(([field, file]) =>
    file === undefined ? [{ field, rule: "required", message: "is needed for TLS between processes" }] : [],
  );
  const hint = "`chappe certs` makes certificates; --no-mesh-tls goes without, in a private network";
  const fields = violations.map(({ field }) => field).join(", ");
  throw new ChappeError("INVALID_ARGUMENT", `${fields}: needed for TLS between processes. ${hint}`, { violations });
}

/** Reads the secret of links and the certificates. INVALID_ARGUMENT when the file cannot be read or is too short. */
export function readMeshSettings(config: Config): MeshSettings {
  const { instanceId, linkSecretFile, routes } = config;
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
  return { instanceId, secret, routes, tls: readTls(config) };
}
