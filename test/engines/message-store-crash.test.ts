import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { Committing, conversationOf, memberOf, runOf, sendOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { createSqliteMessageStore } from "@chappe/mesh/engines/sqlite-message-store/create-sqlite-message-store.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tempDirectory } from "./log-kit.ts";

const run = promisify(execFile);
const all = { maxMessages: 100_000, maxBytes: 100_000_000 };
let home: Awaited<ReturnType<typeof tempDirectory>>;
const opened: MessageStore[] = [];

beforeEach(async () => {
  home = await tempDirectory();
});

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  await home.remove();
});

async function open(options: object = {}): Promise<MessageStore> {
  const store = await createSqliteMessageStore({ directory: home.path, ...options });
  opened.push(store);
  return store;
}

/** Runs the child until it has committed for a while, then kills it with SIGKILL; answers the last seq it spoke of. */
async function commitAndKill(afterMs: number): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "store-child.ts"), home.path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await once(child.stdout, "data");
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  child.kill("SIGKILL");
  await closed;
  return Number(text.split("\n").at(-2));
}

test("kill -9 leaves whole commits: rows, sends, members and progress always agree", async () => {
  for (let round = 1; round <= 10; round++) {
    const spoken = await commitAndKill(20 + round * 13);
    const store = await open({ flushIntervalMs: 60_000 });
    const { nextOffset } = (await store.progress([0])).get(0)!;
    const [head] = await store.heads([conversationOf(1)]);
    expect(head).toBe(nextOffset);
    expect(head).toBeLessThanOrEqual(spoken + 20);
    expect(seqsOf(await store.readRange(conversationOf(1), 1, head!, all))).toEqual(upTo(1, head!));
    expect((await store.members(conversationOf(1))).map(({ joinSeq }) => joinSeq)).toEqual(upTo(1, head!));
    let sends = 0;
    for await (const page of store.sendIdsSince(0)) sends += page.length / 16;
    expect(sends).toBe(head);
    await store.close();
  }
});

test("a full disk loses nothing that was committed, refuses over a bound, and goes on when there is room", async () => {
  const mount = join(home.path, "small");
  await run("mkdir", [mount]);
  await run("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", mount]);
  try {
    const ballast = join(mount, "ballast");
    const options = { directory: mount, flushIntervalMs: 5, maxWaitingBytes: 400_000 };
    const store = await createSqliteMessageStore(options);
    const writer = new Committing(store);
    await writer.claim();
    const { bavail, bsize } = await statfs(mount);
    await writeFile(ballast, Buffer.alloc(bavail * bsize - 600_000));
    let seq = 0;
    const fill = async (): Promise<void> => {
      for (;;) {
        await writer.commit([runOf(1, seq + 1, 1, 4_000)], [sendOf(1, seq + 1)], [memberOf(1, 7n, 1)]);
        seq++;
        if (seq % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await expect(fill()).rejects.toMatchObject({ row: { name: "DISK_FULL", retryable: true } });
    expect(seq).toBeGreaterThan(50);
    expect(seqsOf(await store.readRange(conversationOf(1), 1, seq, all))).toEqual(upTo(1, seq));
    await rm(ballast);
    const deadlineMs = Date.now() + 10_000;
    for (;;) {
      try {
        await writer.commit([runOf(1, seq + 1, 1)]);
        break;
      } catch (error) {
        if (Date.now() > deadlineMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    await store.close();
    const again = await createSqliteMessageStore(options);
    expect(await again.heads([conversationOf(1)])).toEqual([seq + 1]);
    expect(seqsOf(await again.readRange(conversationOf(1), 1, seq + 1, all))).toEqual(upTo(1, seq + 1));
    await again.close();
  } finally {
    await run("umount", [mount]);
  }
});

test("a damaged segment is told, never shown", async () => {
  const store = await open();
  const writer = new Committing(store);
  await writer.claim();
  await writer.commit([runOf(1, 1, 50)]);
  await store.close();
  const database = new DatabaseSync(join(home.path, "messages.db"));
  const { id, body } = database.prepare("SELECT id, body FROM segment LIMIT 1").get() as {
    id: number;
    body: Uint8Array;
  };
  body[body.length >> 1]! ^= 1;
  database.prepare("UPDATE segment SET body = ? WHERE id = ?").run(body, id);
  database.close();
  const again = await open();
  const read = again.readRange(conversationOf(1), 1, 50, all);
  await expect(read).rejects.toMatchObject({ row: { name: "CORRUPT" } });
});

test("another schema version is refused with both versions named", async () => {
  await (await open()).close();
  const database = new DatabaseSync(join(home.path, "messages.db"));
  database.exec("PRAGMA user_version = 9");
  database.close();
  await expect(open()).rejects.toThrow(/version 9.*version 1/);
});
