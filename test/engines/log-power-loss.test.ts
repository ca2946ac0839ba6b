import { join } from "node:path";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appendTexts, numbered, payloadOf, readAll, TestConsumer, tempDirectory } from "./log-kit.ts";
import { PowerLossFiles } from "./log-power-loss-files.ts";

const options = { partitions: 2, minFreeBytes: 0 };
let home: Awaited<ReturnType<typeof tempDirectory>>;
let directory: string;
const opened: Log[] = [];

async function open(path: string, files?: PowerLossFiles, more: object = {}): Promise<Log> {
  const log = await createEmbeddedLog({ directory: path, ...options, ...more, ...(files && { files }) });
  opened.push(log);
  return log;
}

beforeEach(async () => {
  home = await tempDirectory();
  directory = join(home.path, "log");
});

afterEach(async () => {
  for (const log of opened.splice(0)) await log.close();
  await home.remove();
});

describe("power loss", () => {
  test("every acknowledged append is there, in order, whenever the power goes", async () => {
    const files = new PowerLossFiles();
    const log = await open(directory, files, { segmentBytes: 4_000, maxGroupBytes: 1_000 });
    const acknowledged: string[] = [];
    for (let round = 0; round < 25; round++) {
      const texts = numbered(`round ${round} record `, 1 + (round % 7) * 6);
      const appends = texts.map(async (text) => {
        await log.append("messages", 0, payloadOf(text));
        acknowledged.push(text);
      });
      // Somewhere in the middle of the round, with groups and rolls of segments under way.
      await appends[round % texts.length];
      const promised = [...acknowledged];
      const target = join(home.path, `after-${round}`);
      await files.loseThePower(directory, target);
      const survivor = await open(target);
      const texts0 = (await readAll(survivor, "messages")).texts(0);
      expect(texts0.slice(0, promised.length), `round ${round}`).toEqual(promised);
      await Promise.all(appends);
    }
    expect(acknowledged.length).toBeGreaterThan(300);
  });

  test("what a killed process had written but not synced is synced before anybody reads it", async () => {
    const first = new PowerLossFiles();
    const killed = await open(directory, first);
    await appendTexts(killed, "messages", 0, ["synced"]);
    const gate = Promise.withResolvers<void>();
    const written = new Promise<void>((resolve) => {
      first.beforeSync = () => {
        resolve();
        return gate.promise;
      };
    });
    const unanswered = killed.append("messages", 0, payloadOf("written"));
    await written;
    const second = new PowerLossFiles(first);
    const log = await open(directory, second);
    const consumer = await readAll(log, "messages");
    expect(consumer.texts(0)).toEqual(["synced", "written"]);
    const target = join(home.path, "after");
    await second.loseThePower(directory, target);
    const survivor = await open(target);
    expect((await readAll(survivor, "messages")).texts(0)).toEqual(["synced", "written"]);
    gate.resolve();
    await unanswered;
  });

  test("offsets that let retention delete are durable before it does", async () => {
    const files = new PowerLossFiles();
    let nowMs = 1_000_000;
    const [gate, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let removals = 0;
    files.beforeRemove = async (path) => {
      if (!path.endsWith(".journal") || ++removals < 2) return;
      second.resolve();
      await gate.promise;
    };
    const log = await open(directory, files, {
      segmentBytes: 500,
      retentionMs: 1_000,
      retentionCheckMs: 20,
      now: () => nowMs,
    });
    for (let i = 0; i < 20; i++) await appendTexts(log, "messages", 0, [`r${i}`.padEnd(100)]);
    const consumer = new TestConsumer();
    const subscription = await log.subscribe("messages", "g", consumer);
    await consumer.until(() => consumer.count === 20);
    subscription.commit(new Map([[0, 20]]));
    nowMs += 10_000;
    // The power goes when the first segment is gone and the second is about to go.
    await second.promise;
    const target = join(home.path, "after");
    await files.loseThePower(directory, target);
    gate.resolve();
    const survivor = await open(target);
    const again = new TestConsumer();
    await survivor.subscribe("messages", "g", again);
    await appendTexts(survivor, "messages", 0, ["next"]);
    await again.until(() => again.count === 1);
    expect(again.texts(0)).toEqual(["next"]);
    expect(again.seen.get(0)![0]!.offset).toBe(20);
  });
});
