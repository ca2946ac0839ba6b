import { cp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import type { LogReport } from "@chappe/mesh/engines/embedded-log/journal.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appendTexts, numbered, readAll, TestConsumer, tempDirectory } from "./log-kit.ts";

const common = { partitions: 2, minFreeBytes: 0 };
let home: Awaited<ReturnType<typeof tempDirectory>>;
let directory: string;
let reports: LogReport[];

const open = (path: string, more: object = {}): Promise<Log> =>
  createEmbeddedLog({ directory: path, ...common, ...more, report: (report) => reports.push(report) });

beforeEach(async () => {
  home = await tempDirectory();
  directory = join(home.path, "log");
  reports = [];
});

afterEach(() => home.remove());

/** Three groups of three records; answers the only segment's path and where each group starts and the last ends. */
async function threeGroups(): Promise<{ log: Log; path: string; edges: number[] }> {
  const log = await open(directory);
  const path = join(directory, (await readdir(directory)).find((name) => name.endsWith(".journal"))!);
  const edges = [(await stat(path)).size];
  for (const prefix of ["a", "b", "c"]) {
    await appendTexts(log, "messages", 0, numbered(prefix, 3));
    edges.push((await stat(path)).size);
  }
  return { log, path, edges };
}

/** A copy of the log in which `change` was done to the bytes of the file. */
async function damaged(path: string, change: (bytes: Buffer) => Buffer): Promise<string> {
  const copy = join(home.path, "copy");
  await rm(copy, { recursive: true, force: true });
  await cp(directory, copy, { recursive: true });
  const target = path.replace(directory, copy);
  await writeFile(target, change(await readFile(target)));
  return copy;
}

const flip = (at: number) => (bytes: Buffer) => {
  bytes[at] = bytes[at]! ^ 0x10;
  return bytes;
};

async function expectTorn(copy: string, what: string): Promise<void> {
  reports = [];
  const log = await open(copy);
  const kept = [...numbered("a", 3), ...numbered("b", 3)];
  expect((await readAll(log, "messages")).texts(0), what).toEqual(kept);
  expect(await appendTexts(log, "messages", 0, ["again"]), what).toEqual([6]);
  await log.close();
  const reopened = await open(copy);
  expect((await readAll(reopened, "messages")).texts(0), what).toEqual([...kept, "again"]);
  await reopened.close();
}

describe("the tail", () => {
  test("cut at any byte of the last group: the group is gone, the rest is whole, appends go on", async () => {
    const { log, path, edges } = await threeGroups();
    for (let length = edges[2]!; length < edges[3]!; length++) {
      await expectTorn(await damaged(path, (bytes) => bytes.subarray(0, length)), `cut at ${length}`);
      const torn = reports.filter(({ kind }) => kind === "torn-tail");
      expect(torn).toHaveLength(length === edges[2] ? 0 : 1);
    }
    await log.close();
  });

  test("a flipped bit in any byte of the last group counts as torn and is reported", async () => {
    const { log, path, edges } = await threeGroups();
    for (let at = edges[2]!; at < edges[3]!; at++) {
      await expectTorn(await damaged(path, flip(at)), `flip at ${at}`);
      expect(reports).toContainEqual(expect.objectContaining({ kind: "torn-tail", position: edges[2] }));
    }
    await log.close();
  });

  test("zeros after the last group, as file systems leave them, are cut off", async () => {
    const { log, path } = await threeGroups();
    const copy = await damaged(path, (bytes) => Buffer.concat([bytes, Buffer.alloc(5_000)]));
    const opened = await open(copy);
    expect((await readAll(opened, "messages")).count).toBe(9);
    await opened.close();
    await log.close();
  });
});

describe("before the tail", () => {
  test("a flipped bit in any byte of an earlier group refuses the start and names file and place", async () => {
    const { log, path, edges } = await threeGroups();
    for (let at = 0; at < edges[2]!; at++) {
      const copy = await damaged(path, flip(at));
      const start = at < edges[0]! ? 0 : at < edges[1]! ? edges[0]! : edges[1]!;
      const refused = open(copy);
      await expect(refused, `flip at ${at}`).rejects.toMatchObject({ row: { name: "CORRUPT" } });
      await expect(refused).rejects.toThrow(`${path.replace(directory, copy)}: damage`);
      await expect(refused).rejects.toThrow(new RegExp(`at byte ${start}$`));
    }
    await log.close();
  });

  test("after an orderly close damage to the last records is not taken for a torn tail", async () => {
    const { log, path, edges } = await threeGroups();
    await log.close();
    const copy = await damaged(path, flip(edges[2]! + 50));
    await expect(open(copy)).rejects.toMatchObject({ row: { name: "CORRUPT" } });
  });
});

/** Many small segments; answers their paths, oldest first. */
async function manySegments(): Promise<string[]> {
  const log = await open(directory, { segmentBytes: 500 });
  for (let i = 0; i < 30; i++) await appendTexts(log, "messages", i % 2, [`r${i}`.padEnd(100)]);
  await log.close();
  const names = (await readdir(directory)).filter((name) => name.endsWith(".journal")).sort();
  expect(names.length).toBeGreaterThan(5);
  return names.map((name) => join(directory, name));
}

describe("sealed segments", () => {
  test("a missing or damaged index file is made again", async () => {
    const segments = await manySegments();
    const [first, second] = segments.map((path) => path.replace(/journal$/, "idx"));
    const good = await readFile(first!);
    await rm(first!);
    await writeFile(second!, flip(60)(await readFile(second!)));
    const log = await open(directory, { segmentBytes: 500 });
    expect(reports.map(({ kind }) => kind)).toEqual(["index-rebuilt", "index-rebuilt"]);
    expect(Buffer.compare(await readFile(first!), good)).toBe(0);
    expect((await readAll(log, "messages")).count).toBe(30);
    await log.close();
  });

  test("one that is shorter than it was, or gone from the middle, refuses the start", async () => {
    const segments = await manySegments();
    const copy = await damaged(segments[1]!, (bytes) => bytes.subarray(0, bytes.length - 1));
    await expect(open(copy)).rejects.toMatchObject({ row: { name: "CORRUPT" } });
    await rm(segments[2]!);
    await expect(open(directory)).rejects.toMatchObject({ row: { name: "CORRUPT" } });
  });

  test("one that rotted is noticed by the reader: the subscription ends, nothing is skipped", async () => {
    const segments = await manySegments();
    const { length } = await readFile(segments[2]!);
    const copy = await damaged(segments[2]!, flip(length - 10));
    const log = await open(copy);
    const consumer = new TestConsumer();
    await log.subscribe("messages", "g", consumer);
    await consumer.until(() => consumer.calls.includes("revoked"));
    expect(reports).toContainEqual(
      expect.objectContaining({ kind: "subscription-failed", error: expect.objectContaining({ name: "ChappeError" }) }),
    );
    for (const partition of [0, 1]) {
      const offsets = (consumer.seen.get(partition) ?? []).map(({ offset }) => offset);
      expect(offsets).toEqual(offsets.map((_, i) => i));
      expect(offsets.length).toBeLessThan(15);
    }
    await log.close();
  });
});
