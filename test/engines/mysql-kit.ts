import { type MariadbServer, startMariadb } from "@chappe/mesh/dev-engines/start-mariadb.ts";
import { migrate } from "@chappe/mesh/engines/mysql/migrate.ts";
import { type MysqlOptions, parseMysqlUrl } from "@chappe/mesh/engines/mysql/mysql-options.ts";
import { type Connection, createConnection } from "mysql2/promise";

/** A server with a database a test. */
export interface MysqlKit {
  /** A user who may create databases. */
  readonly login: MysqlOptions;
  /** A migrated database of its own name. */
  createDatabase(): Promise<MysqlOptions>;
  /** An empty one. */
  createEmptyDatabase(): Promise<MysqlOptions>;
  dropDatabase(options: MysqlOptions): Promise<void>;
  /** A connection that the engines know nothing of. */
  connect(options: MysqlOptions): Promise<Connection>;
  close(): Promise<void>;
}

/** Variable with the URL of a server to use instead of a MariaDB of our own: so the suites run on MySQL 8 too. */
const givenServer = "CHAPPE_TEST_MYSQL_URL";

/** A kit on this server, or on one of its own. */
export async function startMysqlKit(given?: MariadbServer): Promise<MysqlKit> {
  const url = process.env[givenServer];
  const server = given ?? (url === undefined ? await startMariadb() : undefined);
  const login = server?.login ?? parseMysqlUrl(url!);
  const prefix = `chappe_${process.pid}_${Date.now()}`;
  let databases = 0;
  const connect = (options: MysqlOptions): Promise<Connection> => {
    const { host, port, user, password, database } = options;
    return createConnection({ host, port, user, password, database });
  };
  const run = async (statement: string): Promise<void> => {
    const connection = await connect(login);
    await connection.query(statement);
    connection.destroy();
  };
  const createEmptyDatabase = async (): Promise<MysqlOptions> => {
    const database = `${prefix}_${++databases}`;
    await run(`CREATE DATABASE ${database}`);
    return { ...login, database };
  };
  return {
    login,
    connect,
    createEmptyDatabase,
    async createDatabase() {
      const options = await createEmptyDatabase();
      await migrate(options);
      return options;
    },
    dropDatabase: ({ database }) => run(`DROP DATABASE ${database}`),
    close: async () => (given === undefined ? server?.close() : undefined),
  };
}
