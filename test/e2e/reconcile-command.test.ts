import { execFile } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { directId, messageId, registerUser } from "../support/http-user.ts";
import { startTestServer } from "../support/test-server.ts";

vi.setConfig({ testTimeout: 180_000 });

const entry = fileURLToPath(new URL("../../services/main.ts", import.meta.url));
const run = promisify(execFile);

const reconcile = async (
  dataDirectory: string,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> => {
  const command = [entry, "reconcile", "--data", dataDirectory, ...args];
  return run(process.execPath, command).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
};

test("the command says that all is well, and ends with 1 and the conversation when it is not", async () => {
  const server = await startTestServer();
  const [ann, ben] = [await registerUser(server.url, "ann"), await registerUser(server.url, "ben")];
  const conversationId = directId(ann, ben);
  for (let i = 0; i < 3; i++)
    await ann.call("chappe.msg.v1.MessageService/Send", {
      conversationId,
      messages: [{ clientMessageId: messageId(), content: { text: { text: `hello ${i}` } } }],
    });
  const whileRunning = await reconcile(server.dataDirectory);
  expect([whileRunning.code, whileRunning.stderr]).toEqual([
    1,
    expect.stringMatching(/in use|another process|locked/i),
  ]);
  const { dataDirectory } = server;
  const keep = `${dataDirectory}-kept`;
  await run("cp", ["-r", dataDirectory, keep]);
  await server.close();
  const good = await reconcile(keep, "--json", "--sample", "3");
  expect([good.code, JSON.parse(good.stdout)]).toEqual([
    0,
    expect.objectContaining({ conversations: 1, incidents: [] }),
  ]);
  const database = new DatabaseSync(join(keep, "messages.db"));
  database.exec("DELETE FROM run");
  database.close();
  const bad = await reconcile(keep, "--json");
  expect(bad.code).toBe(1);
  const hex = Buffer.from(conversationId, "base64").toString("hex");
  expect(JSON.parse(bad.stdout)).toMatchObject({ incidents: [{ conversation: hex }] });
  expect(bad.stderr).toContain("reconcile.difference");
  expect((await reconcile(keep, "--sample", "x")).stderr).toContain("--sample");
  await run("rm", ["-rf", keep]);
});
