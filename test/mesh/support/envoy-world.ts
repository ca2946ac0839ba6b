import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import { loadSigningKey, type SigningKey } from "@chappe/mesh/auth/signing-key.ts";
import { createTokenSigner } from "@chappe/mesh/auth/token-signer.ts";
import { runToEnd } from "@chappe/mesh/dev-engines/run-to-end.ts";
import { type EnvoyServer, startEnvoy } from "@chappe/mesh/dev-engines/start-envoy.ts";
import { createSqliteBusinessStore } from "@chappe/mesh/engines/sqlite-business-store/create-sqlite-business-store.ts";
import { decodeJwt } from "jose";

const env = {
  CHAPPE_ARGON2_MEMORY_KIB: "8",
  CHAPPE_ARGON2_PASSES: "1",
  CHAPPE_AUTH_ATTEMPT_BURST: "100000",
  CHAPPE_EXTRA_HOSTS: "127.0.0.2,127.0.0.3",
  CHAPPE_TRUSTED_PROXIES: "127.0.0.1",
};
const opensslTimeoutMs = 30_000;

/** A self-signed certificate for 127.0.0.1, made now. */
export async function makeCertificate(folder: string): Promise<{ certificateFile: string; keyFile: string }> {
  const [certificateFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-days", "2"];
  const args = ["req", "-x509", ...key, "-out", certificateFile, ...names];
  await runToEnd("openssl", args, { cwd: folder, timeoutMs: opensslTimeoutMs });
  return { certificateFile, keyFile };
}

/** A server with every role and every door, and Envoys before it. */
export interface EnvoyWorld {
  readonly server: ServerProcess;
  /** Clear text, all listeners. */
  readonly envoy: EnvoyServer;
  /** TLS, HTTP only. */
  readonly tls: EnvoyServer;
  readonly certificateFile: string;
  /** A token of the session of another one, as the server makes them but for the key and the time. */
  tokenLike(token: string, made: { readonly foreign?: boolean; readonly agoMs?: number }): Promise<string>;
  close(): Promise<void>;
}

/** The key that the server signs with, read while the server is off. */
async function readSigningKey(directory: string): Promise<SigningKey> {
  const store = await createSqliteBusinessStore({
    directory,
    onFailed(error) {
      throw error;
    },
  });
  const key = await loadSigningKey(store);
  await store.close();
  return key;
}

/** Where the doors of the server are, as Envoy's settings name them. */
function targetsOf({ port, ready }: ServerProcess) {
  const at = (to: number | undefined, hosts: readonly string[]): string[] => hosts.map((host) => `${host}:${to}`);
  const all = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
  return [
    {
      http: at(port, all),
      tcp: at(ready.tcp, all),
      grpc: `127.0.0.1:${ready.grpc}`,
      udp: `127.0.0.1:${ready.udp}`,
    },
  ];
}

/** Starts them. */
export async function startEnvoyWorld(
  settings: Readonly<Record<string, unknown>> = {},
  more: Readonly<Record<string, string>> = {},
): Promise<EnvoyWorld> {
  const folder = mkdtempSync(join(tmpdir(), "chappe-envoy-world-"));
  const dataDir = join(folder, "data");
  const args = ["--tcp-port", "0", "--grpc-port", "0", "--udp-port", "0"];
  const started: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    for (const part of started.reverse()) await part.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };
  try {
    // Once for the key, which nobody else may have.
    const first = await startServer({ dataDir, args, env });
    await first.close();
    const key = await readSigningKey(dataDir);
    const server = keep(await startServer({ dataDir, args, env: { ...env, ...more } }));
    const logins = targetsOf(server);
    const certificate = await makeCertificate(folder);
    const [envoy, tls] = await Promise.all([
      startEnvoy({ settings: { logins, ...settings }, listeners: ["tcp", "udp"] }).then(keep),
      startEnvoy({ settings: { logins, tls: certificate, ...settings } }).then(keep),
    ]);
    return {
      server,
      envoy,
      tls,
      certificateFile: certificate.certificateFile,
      close,
      async tokenLike(token, { foreign = false, agoMs = 0 }) {
        const { sid, ver, sub } = decodeJwt(token);
        const claims = { userId: BigInt(sub!), sessionId: BigInt(sid as string), sessionVersion: ver as number };
        const { privateKey } = foreign ? generateKeyPairSync("ed25519") : key;
        const signer = createTokenSigner({ key: { ...key, privateKey }, ttlMs: 60_000, now: () => Date.now() - agoMs });
        return (await signer.sign(claims)).token;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
