import "reflect-metadata";
import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { roleId } from "./role-ids.ts";

/** A certificate with its key, both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** For whom a certificate is. */
export interface CertificateRequest {
  readonly trustDomain: string;
  /** Roles of the process, or "backend-NAME" of a registered server. */
  readonly roles: readonly string[];
  /** Names and IP addresses that others dial it at. */
  readonly hosts: readonly string[];
  /** How long it holds, from five minutes ago on. */
  readonly lifetimeMs: number;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const usages = ["sign", "verify"] as const;
/** Clocks of processes may differ by so much. */
const skewMs = 5 * 60_000;

cryptoProvider.set(globalThis.crypto);

const serialNumber = (): string => `01${randomBytes(15).toString("hex")}`;
const newKeys = () => crypto.subtle.generateKey(algorithm, true, usages);

function pem(label: string, bytes: ArrayBuffer): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

async function toPair(certificate: X509Certificate, keys: CryptoKeyPair): Promise<KeyPair> {
  const key = pem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return { certificate: `${certificate.toString("pem")}\n`, key };
}

const heldFor = (lifetimeMs: number) => ({
  notBefore: new Date(Date.now() - skewMs),
  notAfter: new Date(Date.now() + lifetimeMs),
});

/** A new authority that signs certificates of processes and nothing else. */
export async function createAuthority(options: { readonly lifetimeMs: number }): Promise<KeyPair> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: "CN=Chappe mesh authority",
    ...heldFor(options.lifetimeMs),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return toPair(certificate, keys);
}

async function readSigningKey(text: string): Promise<CryptoKey> {
  const der = Buffer.from(text.replace(/-----[A-Z ]+-----/g, ""), "base64");
  return crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}

/** A new key with a certificate that the authority signs; for both ends of a connection. */
export async function issueCertificate(authority: KeyPair, request: CertificateRequest): Promise<KeyPair> {
  const { trustDomain, roles, hosts, lifetimeMs } = request;
  const issuer = new X509Certificate(authority.certificate);
  const keys = await newKeys();
  const ends = [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: "CN=Chappe process",
    issuer: issuer.subject,
    ...heldFor(lifetimeMs),
    publicKey: keys.publicKey,
    signingKey: await readSigningKey(authority.key),
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(ends),
      new SubjectAlternativeNameExtension([
        ...roles.map((role) => ({ type: "url" as const, value: roleId(trustDomain, role) })),
        // Servers in other languages check the name that they dial.
        ...hosts.map((host) => ({ type: isIP(host) === 0 ? ("dns" as const) : ("ip" as const), value: host })),
      ]),
    ],
  });
  return toPair(certificate, keys);
}
