import { join } from "node:path";
import { createEmbeddedLog, type EmbeddedLogOptions } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import type { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appendTexts, numbered, payloadOf, readAll, TestConsumer, tempDirectory } from "./log-kit.ts";
import { PowerLossFiles } from "./log-power-loss-files.ts";

let home: Awaited<ReturnType<typeof tempDirectory>>;
let files: PowerLossFiles;

const open = (more: Partial<EmbeddedLogOptions> = {}) =>
  createEmbeddedLog({ directory: join(home.path, "log"), partitions: 2, minFreeBytes: 0, files, ...more });

beforeEach(async () => {
  home = await tempDirectory();
  files = new PowerLossFiles();
});

afterEach(() => home.remove());

const inputOutputError = (): Error => Object.assign(new Error("EIO: i/o error"), { code: "EIO" });

describe("failure", () => {
  test("a failed sync ends the log for good; durable records stay readable", async () => {
    const failures: ChappeError[] = [];
    const log = await open({ onFailed: (error) => failures.push(error) });
    await appendTexts(log, "messages", 0, numbered("a", 3));
    files.beforeSync = () => Promise.reject(inputOutputError());
    const internal = {
      status: "rejected",
      reason: expect.objectContaining({ row: expect.objectContaining({ number: 1 }) }),
    };
    const together = await Promise.allSettled(
      numbered("b", 5).map((text) => log.append("messages", 0, payloadOf(text))),
    );
    expect(together).toEqual(Array.from({ length: 5 }, () => internal));
    files.beforeSync = async () => {};
    expect(await Promise.allSettled([log.append("push", 1, payloadOf("later"))])).toEqual([internal]);
    expect(failures).toHaveLength(1);
    expect(failures[0]!.cause).toMatchObject({ code: "EIO" });
    expect(await log.end("messages", 0)).toBe(3);
    expect((await readAll(log, "messages")).texts(0)).toEqual(numbered("a", 3));
    await log.close();
  });

  test("a full queue answers OVERLOADED, which is certainly not stored", async () => {
    const log = await open({ maxQueueBytes: 4_000 });
    const gate = Promise.withResolvers<void>();
    files.beforeSync = () => gate.promise;
    const appends = numbered("a", 20).map((text) => log.append("messages", 0, payloadOf(text, 500)));
    const outcomes = Promise.allSettled(appends);
    gate.resolve();
    const refused = (await outcomes).filter(({ status }) => status === "rejected");
    expect(refused.length).toBe(20 - Math.floor(4_000 / 628));
    for (const outcome of refused) expect(outcome).toMatchObject({ reason: { row: { name: "OVERLOADED" } } });
    expect(await log.end("messages", 0)).toBe(20 - refused.length);
    await appendTexts(log, "messages", 0, ["room again"]);
    await log.close();
  });

  test("the number of partitions is fixed for the life of the data", async () => {
    await (await open()).close();
    const refused = open({ partitions: 3 });
    await expect(refused).rejects.toThrow("was made with 2 partitions and cannot be opened with 3");
    await expect(refused).rejects.toMatchObject({ violations: [{ field: "partitions" }] });
  });
});

describe("retention", () => {
  test("deletes only what is old and committed past by every group, and never the newest segment", async () => {
    let nowMs = 1_000_000;
    let deleted = 0;
    let looked = Promise.withResolvers<void>();
    files.freeBytes = async () => Number.MAX_SAFE_INTEGER;
    const log = await open({
      segmentBytes: 500,
      retentionMs: 1_000,
      retentionCheckMs: 5,
      now: () => {
        looked.resolve();
        return nowMs;
      },
      report: ({ kind }) => {
        if (kind === "segment-deleted") deleted++;
      },
    });
    const looks = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        looked = Promise.withResolvers<void>();
        await looked.promise;
      }
    };
    const [slow, fast] = [new TestConsumer(), new TestConsumer()];
    const slowly = await log.subscribe("messages", "slow", slow);
    const fastly = await log.subscribe("messages", "fast", fast);
    for (let i = 0; i < 20; i++) await appendTexts(log, "messages", 0, [`r${i}`.padEnd(100)]);
    await slow.until(() => slow.count === 20);
    await fast.until(() => fast.count === 20);
    fastly.commit(new Map([[0, 20]]));
    slowly.commit(new Map([[0, 20]]));
    await looks(3);
    expect(deleted, "not old enough").toBe(0);
    const third = await log.subscribe("messages", "third", new TestConsumer());
    nowMs += 5_000;
    await looks(3);
    expect(deleted, "a group has committed nothing").toBe(0);
    third.commit(new Map([[0, 7]]));
    await looks(30);
    const afterSome = deleted;
    expect(afterSome).toBeGreaterThan(0);
    const refused = log.subscribe("messages", "fresh", new TestConsumer());
    await expect(refused).rejects.toMatchObject({ row: { name: "CORRUPT" } });
    const at7 = new TestConsumer();
    at7.starts = new Map([[0, 7]]);
    await log.subscribe("messages", "at7", at7);
    await at7.until(() => at7.count === 13);
    expect(at7.texts(0)[0]!.trim()).toBe("r7");
    await log.close();
    const reopened = await open({ segmentBytes: 500 });
    expect(await appendTexts(reopened, "messages", 0, ["next"])).toEqual([20]);
    expect(await reopened.end("messages", 1)).toBe(0);
    await reopened.close();
  });
});

describe("start offsets", () => {
  test("beyond the end is refused: the log has lost what the reader had seen", async () => {
    const log = await open();
    await appendTexts(log, "messages", 0, ["a"]);
    const consumer = new TestConsumer();
    consumer.starts = new Map([[0, 2]]);
    const refused = log.subscribe("messages", "g", consumer);
    await expect(refused).rejects.toMatchObject({ row: { name: "CORRUPT" } });
    expect(consumer.owned.size).toBe(0);
    await log.close();
  });
});
