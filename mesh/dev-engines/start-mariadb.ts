import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createConnection } from "mysql2/promise";
import { createEngineServer, type EngineServer, type StartedServer } from "./engine-server.ts";
import { freePort, wantFreePorts } from "./free-port.ts";
import { chooseAccount, findMariadbd, type MariadbSetup, mariadbArgs, prepareMariadb } from "./mariadb-setup.ts";
import { openRunDirectory, type RunDirectory } from "./run-directory.ts";

const startTimeoutMs = 60_000;
const connectTimeoutMs = 3_000;

/** How to start MariaDB. */
export interface MariadbOptions {
  /** Kept at the end; a second start with it finds the data. @default a temporary one */
  readonly dataDir?: string;
  /** Of 127.0.0.1. @default a free one */
  readonly port?: number;
  /** Letters, digits, "-" and "_". @default a random one */
  readonly password?: string;
  /** Further options of mariadbd, such as { "max-connections": "50" }. */
  readonly settings?: Readonly<Record<string, string>>;
  /** @default 60,000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** How to reach a MariaDB server; fits mysql2's options. The user may do everything, so also create databases. */
export interface MariadbLogin {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Exists. */
  readonly database: string;
}

/** A MariaDB server of ours. */
export interface MariadbServer extends EngineServer, MariadbLogin {
  /** The login alone. */
  readonly login: MariadbLogin;
  /** Ends it; removes the data when its directory is a temporary one. */
  close(): Promise<void>;
}

async function logIn(login: MariadbLogin): Promise<void> {
  const connection = await createConnection({ ...login, connectTimeout: connectTimeoutMs });
  try {
    await connection.query("SELECT 1");
  } finally {
    connection.destroy();
  }
}

async function startServer(setup: MariadbSetup, login: MariadbLogin, directory: RunDirectory): Promise<StartedServer> {
  const program = findMariadbd();
  await prepareMariadb(setup);
  return createEngineServer({
    what: "MariaDB",
    process: {
      program,
      args: mariadbArgs(setup),
      cwd: directory.path,
      logFile: join(directory.path, "mariadb.log"),
      ...(setup.account === undefined ? {} : { user: setup.account }),
      ...(directory.temporary === undefined ? {} : { temporaryDirectory: directory.temporary }),
    },
    check: () => logIn(login),
    timeoutMs: setup.timeoutMs,
  });
}

/** Starts MariaDB and waits until the user can log in. UNAVAILABLE with the end of its log if not. */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const { settings = {}, timeoutMs = startTimeoutMs, signal } = options;
  const login: MariadbLogin = {
    host: "127.0.0.1",
    port: options.port ?? (await freePort()),
    user: "chappe",
    password: options.password ?? randomBytes(16).toString("hex"),
    database: "chappe",
  };
  await wantFreePorts([login.port]);
  const directory = openRunDirectory("mariadb", options.dataDir);
  let server: StartedServer | undefined;
  const close = async (): Promise<void> => {
    await server?.kill(directory.temporary === undefined ? "SIGTERM" : "SIGKILL");
    directory.remove();
  };
  try {
    const account = chooseAccount(directory.path);
    const setup: MariadbSetup = { ...login, directory: directory.path, account, settings, timeoutMs };
    server = await startServer(setup, login, directory);
    await server.ready(undefined, signal);
    return Object.assign(server, login, { login, close });
  } catch (error) {
    await close();
    throw error;
  }
}
