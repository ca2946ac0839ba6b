import { type HbaseStandalone, startHbase } from "@chappe/mesh/dev-engines/start-hbase.ts";
import type { MysqlOptions } from "@chappe/mesh/engines/mysql/mysql-options.ts";
import { runArchiveCommand } from "@chappe/services/all/archive-command.ts";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { directId, messageId, registerUser } from "../support/http-user.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { type MysqlKit, startMysqlKit } from "./mysql-kit.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 200_000 });

const listMethod = "chappe.msg.v1.HistoryService/ListMessages";
const messages = 40;
let hbase: HbaseStandalone;
let kit: MysqlKit;
let mysql: MysqlOptions;
let env: Readonly<Record<string, string>>;
let server: TestServer;

beforeAll(async () => {
  [hbase, kit] = await Promise.all([startHbase(), startMysqlKit()]);
  mysql = await kit.createDatabase();
  const { host, port, user, password, database } = mysql;
  env = {
    CHAPPE_MYSQL_URL: `mysql://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`,
    CHAPPE_HBASE_ZOOKEEPER: hbase.zookeeper,
    CHAPPE_HBASE_TABLE: "served",
    CHAPPE_ARCHIVE_AFTER_DAYS: "2",
    CHAPPE_ARCHIVE_GRACE_MS: "50",
  };
});
afterAll(async () => {
  await server?.close();
  await kit?.close();
  await hbase?.close();
});

/** Makes what was stored so far eight days older, as if it had been. */
async function ageMessages(): Promise<void> {
  const connection = await kit.connect(mysql);
  await connection.query("UPDATE message_run SET day = day - 8");
  connection.destroy();
}

async function archiveCommand(...args: string[]): Promise<string> {
  const lines: string[] = [];
  await runArchiveCommand(args, env, (line) => lines.push(line));
  return lines.join("\n");
}

test("old messages move to HBase while the server runs, and clients read them as before", async () => {
  expect(await archiveCommand("create-table", "--regions", "4")).toBe("table served is there");
  // No archiver yet: it would close the days into which messages are put afterwards, as no clock does.
  const served: Record<string, string> = { CHAPPE_MYSQL_URL: env.CHAPPE_MYSQL_URL! };
  server = await startTestServer([], served);
  const [ann, ben] = [await registerUser(server.url, "ann"), await registerUser(server.url, "ben")];
  const conversationId = directId(ann, ben);
  const send = (from: number, to: number) =>
    Promise.all(
      Array.from({ length: to - from + 1 }, (_, i) =>
        ann.call("chappe.msg.v1.MessageService/Send", {
          conversationId,
          messages: [{ clientMessageId: messageId(), content: { text: { text: `message ${from + i}` } } }],
        }),
      ),
    );
  const listed = async (more: object = {}): Promise<string[]> => {
    const page = await ben.call<{ messages?: { seq: string; content: { text: { text: string } } }[] }>(listMethod, {
      conversationId,
      limit: 200,
      ...more,
    });
    return (page.messages ?? []).map(({ seq, content }) => `${seq} ${content.text.text}`).sort();
  };
  await send(1, messages);
  await expect.poll(listed).toHaveLength(messages);
  const before = await listed();
  await server.restart(async () => {
    await ageMessages();
    Object.assign(served, env);
  });
  await expect
    .poll(() => archiveCommand("status"), { timeout: 60_000, interval: 200 })
    .toMatch(new RegExp(`archived +${messages} `));
  expect(await listed()).toEqual(before);
  await send(messages + 1, messages + 5);
  await expect.poll(listed).toHaveLength(messages + 5);
  // The first page from the end reaches from the store into the history.
  const seqs = (await listed({ limit: 10 })).map((line) => Number(line.split(" ")[0])).sort((a, b) => a - b);
  expect(seqs).toEqual(Array.from({ length: 10 }, (_, i) => messages + 5 - 9 + i));
  expect(server.stats()).toMatchObject({ archive: { state: "leading", failures: 0 } });
  await hbase.kill();
  await expect(listed()).rejects.toMatchObject({ reason: "HISTORY_UNAVAILABLE" });
  expect(await listed({ fromSeq: String(messages + 1) })).toHaveLength(5);
  await hbase.restart();
  await expect.poll(() => listed().catch(() => []), { timeout: 60_000, interval: 500 }).toHaveLength(messages + 5);
});
