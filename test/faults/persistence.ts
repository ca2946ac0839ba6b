import { startMariadb } from "@chappe/mesh/dev-engines/start-mariadb.ts";
import { migrate } from "@chappe/mesh/engines/mysql/migrate.ts";
import type { Act, HarmedEngines } from "./signalling.ts";

/** Core on MariaDB behind two of everything else. */
export const persistenceMembers: Readonly<Record<string, string>> = {
  "route-1": "route",
  core: "core",
  "login-1": "login,online",
  "login-2": "login,online",
};

/** What is done to core and to the engines beneath it. */
export const persistenceActs: readonly Act[] = [
  { name: "mariadb", harm: "kill" },
  { name: "core", harm: "kill" },
  { name: "mariadb", harm: "stall" },
  { name: "core", harm: "stall" },
  { name: "mariadb", harm: "drain" },
  { name: "core", harm: "drain" },
];

/** MariaDB with the schema of this build. */
export async function startPersistenceEngines(): Promise<HarmedEngines> {
  const mariadb = await startMariadb();
  const { host, port, user, password, database } = mariadb.login;
  await migrate(mariadb.login);
  return {
    servers: { mariadb },
    env: { CHAPPE_MYSQL_URL: `mysql://${user}:${password}@${host}:${port}/${database}` },
    close: () => mariadb.close(),
  };
}
