import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { runProgram } from "./run-program.ts";

/** A program that tests need from the machine, with the Debian package that has it. */
export interface SystemProgram {
  readonly program: string;
  readonly debianPackage: string;
  readonly why: string;
}

/** All of them. */
export const systemPrograms: readonly SystemProgram[] = [
  { program: "chromium", debianPackage: "chromium", why: "the browser tests run the web client in it" },
  {
    program: "redis-server",
    debianPackage: "redis-server",
    why: "presence and directory are tested on a real cluster",
  },
  { program: "prometheus", debianPackage: "prometheus", why: "dashboards and alert rules are tested on it" },
  // The core packages: they bring no system service.
  { program: "mariadb-install-db", debianPackage: "mariadb-server-core", why: "the MySQL store is tested on MariaDB" },
  { program: "my_print_defaults", debianPackage: "mariadb-client-core", why: "MariaDB's set-up asks it for settings" },
  { program: "curl", debianPackage: "curl", why: "the README's tour is run with it" },
  { program: "go", debianPackage: "golang-go", why: "backends and clients in Go are tested, grpcurl is built with it" },
  { program: "python3", debianPackage: "python3-venv", why: "a backend in Python is tested" },
  {
    program: "mvn",
    debianPackage: "maven",
    why: "a backend in Java is built with it, Kafka and HBase are fetched with it",
  },
  {
    program: "java",
    debianPackage: "default-jdk-headless",
    why: "a backend in Java is tested, Kafka and HBase run in it",
  },
];

const installTimeoutMs = 600_000;

const isInPath = (program: string): boolean =>
  (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));

/** Those that the machine lacks. */
export const missingPrograms = (isThere: (program: string) => boolean = isInPath): SystemProgram[] =>
  systemPrograms.filter(({ program }) => !isThere(program));

/**
 * Installs the missing programs with apt-get, saying what and why. Answers with the names of those still missing,
 * after saying how to get them.
 */
export async function installSystemPrograms(say: (line: string) => void): Promise<string[]> {
  const missing = missingPrograms();
  if (missing.length === 0) return [];
  const packages = missing.map(({ debianPackage }) => debianPackage);
  if (process.getuid?.() === 0 && isInPath("apt-get")) {
    for (const { debianPackage, why } of missing) say(`Installing the Debian package ${debianPackage}: ${why}.`);
    const apt =
      "export DEBIAN_FRONTEND=noninteractive; apt-get update -q && apt-get install -y -q --no-install-recommends";
    const { code, output } = await runProgram("sh", ["-c", `${apt} ${packages.join(" ")}`], {
      timeoutMs: installTimeoutMs,
    });
    if (code !== 0) say(output.trimEnd());
  }
  const left = missingPrograms();
  for (const { program, debianPackage, why } of left) {
    say(`${program} is missing (${why}); tests that need it will fail. On Debian: apt-get install ${debianPackage}`);
  }
  return left.map(({ program }) => program);
}
