import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { type ChannelCredentials, experimental, type ServerCredentials } from "@grpc/grpc-js";
import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";
import { rolesInNames } from "./role-ids.ts";

/** Files of a process; read again when they change. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Certificates of the authorities that are trusted, one after the other. */
  readonly caFile: string;
}

/** A call that may say who is at the other end, as grpc-js has it. */
export interface AuthenticatedCall {
  getAuthContext(): { readonly sslPeerCertificate?: { readonly subjectaltname?: string | undefined } | undefined };
}

/** TLS between processes of a mesh: both ends show a certificate that names their roles. */
export interface MeshTls {
  /** For a listener. A caller without a certificate is let in, with no roles: registration has a secret of its own. */
  readonly serverCredentials: ServerCredentials;
  /** For a dialler that wants a process of this role, whatever its host name is. */
  channelCredentials(role: string): ChannelCredentials;
  /** Roles that a caller has proved; none without a certificate of a trusted authority. */
  rolesOf(call: AuthenticatedCall): ReadonlySet<string>;
}

/** INVALID_ARGUMENT that names the setting whose file is not good. */
function checkFiles({ certFile, keyFile, caFile }: TlsFiles): void {
  const read = (field: string, path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (cause) {
      throw refused(field, `${path} cannot be read`, cause);
    }
  };
  const files = { cert: read("tlsCertFile", certFile), key: read("tlsKeyFile", keyFile) };
  const ca = read("tlsCaFile", caFile);
  try {
    createSecureContext(files);
  } catch (cause) {
    throw refused("tlsCertFile", "the certificate and the key are not PEM, or do not belong together", cause);
  }
  try {
    new X509Certificate(ca);
  } catch (cause) {
    throw refused("tlsCaFile", "has no PEM certificates", cause);
  }
}

function refused(field: string, message: string, cause: unknown): ChappeError {
  return new ChappeError("INVALID_ARGUMENT", `${field}: ${message}`, {
    violations: [{ field, rule: "file", message }],
    cause,
  });
}

/**
 * Reads the files, which may be replaced at any time: new connections take the new ones, after `refreshMs` at the
 * latest. INVALID_ARGUMENT when they cannot be read or do not fit together.
 */
export function openMeshTls(
  files: TlsFiles,
  trustDomain: string,
  refreshMs: number = limits.tlsFileRefreshMs,
): MeshTls {
  checkFiles(files);
  const provider = new experimental.FileWatcherCertificateProvider({
    certificateFile: files.certFile,
    privateKeyFile: files.keyFile,
    caCertificateFile: files.caFile,
    refreshIntervalMs: refreshMs,
  });
  const channels = new Map<string, ChannelCredentials>();
  const openChannel = (role: string): ChannelCredentials =>
    experimental.createCertificateProviderChannelCredentials(provider, provider, {
      checkServerIdentity: (_host, { subjectaltname }) =>
        rolesInNames(subjectaltname, trustDomain).has(role)
          ? undefined
          : new Error(`The certificate of the other end does not name the role ${role}.`),
    });
  return {
    serverCredentials: experimental.createCertificateProviderServerCredentials(provider, provider, false),
    channelCredentials(role) {
      const known = channels.get(role) ?? openChannel(role);
      channels.set(role, known);
      return known;
    },
    rolesOf: (call) => rolesInNames(call.getAuthContext().sslPeerCertificate?.subjectaltname, trustDomain),
  };
}
