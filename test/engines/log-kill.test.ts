import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { lockDirectory } from "@chappe/mesh/engines/embedded-log/lock-directory.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readAll, tempDirectory } from "./log-kit.ts";

let home: Awaited<ReturnType<typeof tempDirectory>>;
const children: ChildProcess[] = [];

beforeEach(async () => {
  home = await tempDirectory();
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await home.remove();
});

/** Starts the child; answers its whole lines as they come. */
function start(mode: string): { child: ChildProcess; lines: string[]; has: (count: number) => Promise<void> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, "log-child.ts"), mode, home.path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const lines: string[] = [];
  let wake = (): void => {};
  // The last line may be cut by the kill; what follows the last line feed is no whole line.
  let rest = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    lines.push(...parts);
    wake();
  });
  const has = async (count: number): Promise<void> => {
    while (lines.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { child, lines, has };
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}

describe("lock", () => {
  test("a second process is refused with the first one's number; kill -9 sets the directory free", async () => {
    const first = start("lock");
    await first.has(1);
    const second = start("lock");
    const [code] = await once(second.child, "close");
    expect(code).toBe(2);
    expect(second.lines).toEqual([`data directory ${home.path} is in use by process ${first.child.pid}`]);
    expect(() => lockDirectory(home.path)).toThrow(`process ${first.child.pid}`);
    await kill(first.child);
    const lock = lockDirectory(home.path);
    expect(() => lockDirectory(home.path)).toThrow(`process ${process.pid}`);
    lock.release();
    lock.release();
    lockDirectory(home.path).release();
  });
});

describe("kill -9", () => {
  test("every append that was acknowledged before is there, ten times over", async () => {
    const acknowledged: string[] = [];
    for (let round = 0; round < 10; round++) {
      const { child, lines, has } = start("append");
      await has(200 + round * 150);
      await kill(child);
      expect(lines[0]).toBe("locked");
      acknowledged.push(...lines.slice(1));
      const log = await createEmbeddedLog({ directory: join(home.path, "log"), partitions: 2, minFreeBytes: 0 });
      const consumer = await readAll(log, "messages");
      const texts = [consumer.texts(0), consumer.texts(1)];
      const missing = acknowledged.filter((line) => {
        const [partition, offset, text] = line.split(" ");
        return texts[Number(partition)]![Number(offset)] !== text;
      });
      expect(missing, `round ${round}`).toEqual([]);
      await log.close();
    }
    expect(acknowledged.length).toBeGreaterThan(8_000);
  });
});
