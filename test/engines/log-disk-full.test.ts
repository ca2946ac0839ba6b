import { execFile } from "node:child_process";
import { readdir, rm, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { payloadOf, readAll, tempDirectory } from "./log-kit.ts";

const run = promisify(execFile);
let home: Awaited<ReturnType<typeof tempDirectory>>;
const opened: Log[] = [];

beforeEach(async () => {
  home = await tempDirectory();
  await run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", home.path]).catch((error: unknown) => {
    throw new Error("this test mounts a tmpfs of 4 MiB and must run as root where mount is permitted", {
      cause: error,
    });
  });
});

afterEach(async () => {
  for (const log of opened.splice(0)) await log.close();
  await run("umount", [home.path]);
  await home.remove();
});

/** Appends until the first refusal; answers how many were taken and the refusal. */
async function fill(log: Log, lengthBytes: number): Promise<{ taken: number; error: unknown }> {
  for (let taken = 0; taken < 1_000; taken++) {
    try {
      await log.append("messages", 0, payloadOf(`r${taken}`, lengthBytes));
    } catch (error) {
      return { taken, error };
    }
  }
  throw new Error("the disk never filled up");
}

async function open(more: object): Promise<Log> {
  const log = await createEmbeddedLog({ directory: join(home.path, "log"), partitions: 1, diskCheckMs: 0, ...more });
  opened.push(log);
  return log;
}

describe("disk full", () => {
  test("ENOSPC: refused and not stored; durable data stays readable; appends work again when there is room", async () => {
    const ballast = join(home.path, "ballast");
    await writeFile(ballast, Buffer.alloc(2 * 1024 * 1024));
    const log = await open({ minFreeBytes: 0, tailBytes: 1 });
    // The look at the free space must not be what refuses here.
    const { taken, error } = await fill(log, 100_003);
    expect(error).toMatchObject({ row: { name: "DISK_FULL" } });
    expect(taken).toBeGreaterThan(10);
    expect(await log.end("messages", 0)).toBe(taken);
    expect((await readAll(log, "messages")).count).toBe(taken);
    await rm(ballast);
    expect(await log.append("messages", 0, payloadOf("again"))).toMatchObject({ offset: taken });
    await log.close();
    const reopened = await open({ minFreeBytes: 0 });
    expect((await readAll(reopened, "messages")).texts(0).at(-1)).toBe("again");
    await reopened.close();
  });

  test("a write that the kernel cuts short is taken back", async () => {
    const ballast = join(home.path, "ballast");
    await writeFile(ballast, Buffer.alloc(2 * 1024 * 1024));
    // A look at the start only: from then on nothing but the write itself finds the disk full.
    const log = await open({ minFreeBytes: 0, diskCheckMs: 3_600_000, segmentBytes: 64 * 1024 * 1024 });
    await log.append("messages", 0, payloadOf("first"));
    const name = (await readdir(join(home.path, "log"))).find((file) => file.endsWith(".journal"))!;
    const journalBytes = async () => (await stat(join(home.path, "log", name))).size;
    const before = await journalBytes();
    const { bavail, bsize } = await statfs(home.path);
    await writeFile(join(home.path, "more-ballast"), Buffer.alloc(bavail * bsize - 40_960));
    const refused = log.append("messages", 0, payloadOf("large", 100_000));
    await expect(refused).rejects.toMatchObject({ row: { name: "DISK_FULL" }, cause: { code: "ENOSPC" } });
    expect(await journalBytes()).toBe(before);
    expect(await log.append("messages", 0, payloadOf("small"))).toMatchObject({ offset: 1 });
    await rm(ballast);
    expect(await log.append("messages", 0, payloadOf("large", 100_000))).toMatchObject({ offset: 2 });
    await log.close();
    const reopened = await open({ minFreeBytes: 0 });
    expect((await readAll(reopened, "messages")).texts(0).slice(0, 2)).toEqual(["first", "small"]);
    await reopened.close();
  });

  test("a new segment that does not fit leaves the old one in use", async () => {
    const log = await open({ minFreeBytes: 0, diskCheckMs: 3_600_000, segmentBytes: 50_000 });
    await log.append("messages", 0, payloadOf("first", 60_000));
    const { bavail, bsize } = await statfs(home.path);
    const ballast = join(home.path, "ballast");
    await writeFile(ballast, Buffer.alloc(bavail * bsize));
    await expect(log.append("messages", 0, payloadOf("second"))).rejects.toMatchObject({ row: { name: "DISK_FULL" } });
    await rm(ballast);
    expect(await log.append("messages", 0, payloadOf("second"))).toMatchObject({ offset: 1 });
    await log.close();
    const reopened = await open({ minFreeBytes: 0 });
    expect((await readAll(reopened, "messages")).count).toBe(2);
    await reopened.close();
  });

  test("leaves the named minimum free", async () => {
    const minFreeBytes = 2 * 1024 * 1024;
    const log = await open({ minFreeBytes });
    const { error } = await fill(log, 50_000);
    expect(error).toMatchObject({ row: { name: "DISK_FULL" } });
    const { bavail, bsize } = await statfs(home.path);
    expect(bavail * bsize).toBeGreaterThanOrEqual(minFreeBytes - 8_192);
    await log.close();
  });
});
