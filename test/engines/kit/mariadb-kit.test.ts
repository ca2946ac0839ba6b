import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startMariadb } from "@chappe/mesh/dev-engines/start-mariadb.ts";
import { runSql } from "@chappe/mesh/dev-engines/test-support/run-sql.ts";
import { expect, it } from "vitest";
import { mariadbForTests } from "./engines-for-tests.ts";

const database = `kit_${crypto.randomUUID().replaceAll("-", "")}`;

it("MariaDB keeps what it has committed when it is killed", async () => {
  const mariadb = await mariadbForTests();
  const login = { ...mariadb.at, database };
  try {
    await runSql(mariadb.at, `CREATE DATABASE ${database}`);
    const insert = "INSERT INTO a VALUES (1, 'zażółć ☃ 😀')";
    await runSql(login, "CREATE TABLE a (id BIGINT PRIMARY KEY, text VARCHAR(40)) ENGINE=InnoDB", insert);
    await mariadb.own?.kill();
    if (mariadb.own !== undefined) await expect(runSql(login, "SELECT 1")).rejects.toThrow("ECONNREFUSED");
    await mariadb.own?.restart();
    expect(await runSql(login, "SELECT * FROM a")).toEqual([{ id: 1, text: "zażółć ☃ 😀" }]);
    expect(await runSql(login, "SELECT @@innodb_flush_log_at_trx_commit AS flush")).toEqual([{ flush: 1 }]);
  } finally {
    await runSql(mariadb.at, `DROP DATABASE IF EXISTS ${database}`);
    await mariadb.close();
  }
});

it("MariaDB keeps a directory that was chosen, and a second one shares nothing with it", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "chappe-kit-"));
  try {
    const first = await startMariadb({ dataDir });
    await runSql(first.login, "CREATE TABLE kept (id INT)");
    await first.close();
    const [again, other] = await Promise.all([startMariadb({ dataDir }), startMariadb()]);
    expect(await runSql(again.login, "SHOW TABLES")).toEqual([{ Tables_in_chappe: "kept" }]);
    expect(await runSql(other.login, "SHOW TABLES")).toEqual([]);
    await Promise.all([again.close(), other.close()]);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

it("MariaDB that cannot start says why, with the end of its log", async () => {
  await expect(startMariadb({ settings: { "no-such-option": "1" } })).rejects.toThrow(
    /ended \(exit code \d+\) before it was ready[\s\S]*unknown variable 'no-such-option=1'/,
  );
});
