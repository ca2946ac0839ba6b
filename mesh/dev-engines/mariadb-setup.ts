import { chownSync, existsSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { ChappeError } from "../errors/chappe-error.ts";
import { runToEnd } from "./run-to-end.ts";

/** The account that owns nothing, on Debian and elsewhere. */
const nobody = 65_534;
const executableByOthers = 0o001;

/** User and group that a process runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** One MariaDB server to be. */
export interface MariadbSetup {
  /** Of the run; it holds the data and the statements of the start. */
  readonly directory: string;
  /** undefined = as this process. */
  readonly account: Account | undefined;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Further options of mariadbd; they win. */
  readonly settings: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** mariadbd's path; ordinary users do not have its folder in their PATH. UNAVAILABLE says how to get it. */
export function findMariadbd(): string {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/libexec", "/usr/local/sbin"];
  const found = folders.map((folder) => join(folder, "mariadbd")).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new ChappeError("UNAVAILABLE", "mariadbd is missing. On Debian: apt-get install mariadb-server-core");
}

/**
 * mariadbd does not run as root unless told to: for root it runs as nobody, who then owns the directory. Where nobody
 * cannot reach the directory it stays root. undefined = as this process.
 */
export function chooseAccount(directory: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (let folder = dirname(directory); folder !== dirname(folder); folder = dirname(folder))
    if ((statSync(folder).mode & executableByOthers) === 0) return undefined;
  chownSync(directory, nobody, nobody);
  return { uid: nobody, gid: nobody };
}

const asRoot = ({ account }: MariadbSetup): string[] =>
  account === undefined && process.getuid?.() === 0 ? ["--user=root"] : [];

/** Arguments of mariadbd: durable, on loopback, small. A server that starts clears its tmpdir, so each has its own. */
export function mariadbArgs(setup: MariadbSetup): string[] {
  const { directory, port, settings } = setup;
  const options: Readonly<Record<string, string>> = {
    datadir: join(directory, "data"),
    tmpdir: directory,
    "bind-address": "127.0.0.1",
    port: String(port),
    // Relative to the data directory: the whole path may be longer than a socket's may be.
    socket: "mariadb.sock",
    "pid-file": "mariadb.pid",
    "init-file": join(directory, "init.sql"),
    "innodb-flush-log-at-trx-commit": "1",
    "innodb-buffer-pool-size": "64M",
    "innodb-log-file-size": "32M",
    "aria-pagecache-buffer-size": "8M",
    "key-buffer-size": "1M",
    "character-set-server": "utf8mb4",
    "max-connections": "200",
    ...settings,
  };
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  return ["--no-defaults", ...args, "--skip-name-resolve", ...asRoot(setup)];
}

/** Writes the statements that every start runs, and creates the system tables when there are none. */
export async function prepareMariadb(setup: MariadbSetup): Promise<void> {
  const { directory, account, user, password, database, timeoutMs } = setup;
  if (!/^[\w-]+$/.test(password)) throw new ChappeError("INVALID_ARGUMENT", "password: letters, digits, - and _ only");
  const statements = [
    `CREATE DATABASE IF NOT EXISTS ${database};`,
    `CREATE OR REPLACE USER '${user}'@'%' IDENTIFIED BY '${password}';`,
    `GRANT ALL ON *.* TO '${user}'@'%';`,
  ];
  const initFile = join(directory, "init.sql");
  writeFileSync(initFile, `${statements.join("\n")}\n`, { mode: 0o600 });
  if (account !== undefined) chownSync(initFile, account.uid, account.gid);
  const data = join(directory, "data");
  if (existsSync(join(data, "mysql"))) return;
  const args = [
    "--no-defaults",
    `--datadir=${data}`,
    `--tmpdir=${directory}`,
    "--auth-root-authentication-method=socket",
    "--skip-test-db",
  ];
  const more = ["--skip-name-resolve", "--innodb-log-file-size=32M", ...asRoot(setup)];
  await runToEnd("mariadb-install-db", [...args, ...more], { cwd: directory, timeoutMs, ...account });
}
