import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { createAuthority, issueCertificate, type KeyPair } from "@chappe/mesh/tls/certificate-authority.ts";
import { coreRoles, envoyControl, wholeRoles } from "./config.ts";

const hourMs = 3_600_000;
const maxHours = 24 * 365 * 10;
const authorityLifetimeMs = maxHours * hourMs;
const backendName = /^backend-[a-z0-9-]{1,40}$/;

function refuse(field: string, message: string): never {
  throw new ChappeError("INVALID_ARGUMENT", `${field}: ${message}`, {
    violations: [{ field, rule: "argument", message }],
  });
}

/** Written whole or not at all: a process that looks at that moment reads the old file. */
function write(path: string, text: string, mode: number): void {
  writeFileSync(`${path}.new`, text, { mode });
  renameSync(`${path}.new`, path);
}

function writePair(directory: string, name: string, { certificate, key }: KeyPair): void {
  write(join(directory, `${name}.key`), key, 0o600);
  write(join(directory, `${name}.crt`), certificate, 0o644);
}

async function openAuthority(directory: string): Promise<KeyPair> {
  const [certificate, key] = [join(directory, "ca.crt"), join(directory, "ca.key")];
  if (!existsSync(key)) writePair(directory, "ca", await createAuthority({ lifetimeMs: authorityLifetimeMs }));
  return { certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
}

/** "core" names its modules too, so that it may be split later without other certificates. */
function rolesOf(name: string): string[] {
  const roles = name.split("+");
  for (const role of roles) {
    const known: readonly string[] = [...wholeRoles, envoyControl, ...coreRoles];
    if (!known.includes(role) && !backendName.test(role))
      refuse("roles", `${role} is no role; known are ${known.join(", ")}, backend-NAME`);
  }
  return roles.flatMap((role) => (role === "core" ? [role, ...coreRoles] : [role]));
}

/**
 * `certs --out DIR --roles route,login+online,core [--hosts H,H] [--hours N] [--trust-domain D]`: one certificate for each
 * name, ROLE.crt and ROLE.key, for hosts that others dial it at (registering servers check that, processes the role), signed by the authority of the folder (ca.crt, ca.key), which is made when there is none. Answers with
 * the files' names. Repeated, it renews them; running processes take the new ones.
 */
export async function makeCertificates(args: readonly string[]): Promise<readonly string[]> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      out: { type: "string" },
      roles: { type: "string", default: [...wholeRoles].join() },
      hosts: { type: "string", default: "localhost,127.0.0.1" },
      hours: { type: "string", default: "24" },
      "trust-domain": { type: "string", default: "chappe" },
    },
  });
  const directory = values.out ?? refuse("out", "names the folder for the files");
  const hours = Number(values.hours);
  if (!Number.isInteger(hours) || hours < 1 || hours > maxHours) refuse("hours", `must be from 1 to ${maxHours}`);
  const wanted = values.roles.split(",").map((name) => ({ name, roles: rolesOf(name) }));
  mkdirSync(directory, { recursive: true });
  const authority = await openAuthority(directory);
  for (const { name, roles } of wanted) {
    const hosts = values.hosts.split(",");
    const request = { trustDomain: values["trust-domain"], roles, hosts, lifetimeMs: hours * hourMs };
    writePair(directory, name, await issueCertificate(authority, request));
  }
  return wanted.flatMap(({ name }) => [join(directory, `${name}.crt`), join(directory, `${name}.key`)]);
}
