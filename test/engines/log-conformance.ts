import { limits } from "@chappe/mesh/limits.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appendTexts, manyTurns, numbered, payloadOf, readAll, TestConsumer } from "./log-kit.ts";

/** Partitions that a harness opens its log with. */
export const conformancePartitions = 4;

/** One log's data, for one test. */
export interface LogHarness {
  /** Opens the log, each time with the same data; the one before is closed. */
  open(): Promise<Log>;
  /** Keeps everything from becoming durable until the answer is called; absent when the engine offers no such hold. */
  holdDurability?(): () => void;
  /** The engine may give a partition to its next owner before the one before gave it up; epochs decide then. */
  readonly mayGiveAway?: boolean;
  destroy(): Promise<void>;
}

/** What each test uses. */
interface Bench {
  readonly harness: LogHarness;
  log: Log;
}

/** The suite that every engine of the Log port passes. */
export function describeLog(name: string, createHarness: () => Promise<LogHarness>): void {
  describe(`log: ${name}`, () => {
    const bench = {} as { harness: LogHarness; log: Log };
    beforeEach(async () => {
      bench.harness = await createHarness();
      bench.log = await bench.harness.open();
    });
    afterEach(async () => {
      await bench.log.close();
      await bench.harness.destroy();
    });
    describe("append", () => appendTests(bench));
    describe("subscription", () => subscriptionTests(bench));
    describe("failure and pressure", () => pressureTests(bench));
    describe("groups", () => groupTests(bench));
    describe("reopening", () => reopenTests(bench));
  });
}

function appendTests(bench: Bench): void {
  test("offsets rise from 0 in the order of the calls, each partition and topic on its own", async () => {
    const { log } = bench;
    const [first, second, push] = await Promise.all([
      appendTexts(log, "messages", 0, numbered("a", 40)),
      appendTexts(log, "messages", 3, numbered("b", 40)),
      appendTexts(log, "push", 0, numbered("c", 3)),
    ]);
    const rising = Array.from({ length: 40 }, (_, i) => i);
    expect(first).toEqual(rising);
    expect(second).toEqual(rising);
    expect(push).toEqual([0, 1, 2]);
    expect(await log.end("messages", 0)).toBe(40);
    expect(await log.end("messages", 1)).toBe(0);
    const consumer = await readAll(log, "messages");
    expect(consumer.texts(0)).toEqual(numbered("a", 40));
    expect(consumer.texts(3)).toEqual(numbered("b", 40));
  });

  test("the time is the same in the answer and on every read", async () => {
    const appended = await bench.log.append("messages", 1, payloadOf("x"));
    for (let i = 0; i < 2; i++) {
      const entry = (await readAll(bench.log, "messages")).seen.get(1)![0]!;
      expect(entry.timeMs).toBe(appended.timeMs);
    }
    expect(Math.abs(appended.timeMs - Date.now())).toBeLessThan(60_000);
  });

  test("records of 0 bytes and of the limit come back as they were; larger ones are refused", async () => {
    const { log } = bench;
    const large = payloadOf("large", limits.maxRecordBytes - 1);
    large[large.length - 1] = 7;
    await log.append("messages", 2, new Uint8Array(0));
    await log.append("messages", 2, large);
    const tooLarge = log.append("messages", 2, new Uint8Array(limits.maxRecordBytes + 1));
    await expect(tooLarge).rejects.toMatchObject({ row: { name: "INVALID_ARGUMENT" } });
    const entries = (await readAll(log, "messages")).seen.get(2)!;
    expect(entries.map(({ payload }) => payload.byteLength)).toEqual([0, large.byteLength]);
    expect(Buffer.compare(entries[1]!.payload, large)).toBe(0);
  });

  test("a partition that does not exist is refused by name", async () => {
    const refused = bench.log.append("messages", conformancePartitions, payloadOf("x"));
    await expect(refused).rejects.toMatchObject({ violations: [{ field: "partition" }] });
  });

  test("a record is neither acknowledged nor read nor counted before it is durable", async () => {
    const { harness, log } = bench;
    if (harness.holdDurability === undefined) return;
    const consumer = new TestConsumer();
    await log.subscribe("messages", "g", consumer);
    const release = harness.holdDurability();
    let acknowledged = false;
    const append = log.append("messages", 0, payloadOf("held")).then(() => {
      acknowledged = true;
    });
    await manyTurns();
    // One that comes while the record is written but not durable looks at the log afresh.
    const late = new TestConsumer();
    await log.subscribe("messages", "late", late);
    await manyTurns();
    const before = [acknowledged, consumer.count, late.count, await log.end("messages", 0)];
    release();
    expect(before).toEqual([false, 0, 0, 0]);
    await append;
    await consumer.until(() => consumer.count === 1);
    await late.until(() => late.count === 1);
    expect(await log.end("messages", 0)).toBe(1);
  });
}

function subscriptionTests(bench: Bench): void {
  test("all partitions are assigned, records come without a gap, close revokes", async () => {
    const { log } = bench;
    await appendTexts(log, "messages", 0, numbered("before", 3));
    const consumer = new TestConsumer();
    const subscription = await log.subscribe("messages", "g", consumer);
    await appendTexts(log, "messages", 0, numbered("after", 3));
    await consumer.until(() => consumer.count === 6);
    expect(consumer.texts(0)).toEqual([...numbered("before", 3), ...numbered("after", 3)]);
    expect([...consumer.owned].sort()).toEqual([0, 1, 2, 3]);
    await subscription.close();
    expect(consumer.calls[0]).toBe("assigned");
    expect(consumer.calls.at(-1)).toBe("revoked");
    expect([consumer.owned.size, consumer.overlaps]).toEqual([0, 0]);
    await appendTexts(log, "messages", 0, ["late"]);
    expect(consumer.count).toBe(6);
  });

  test("starts where assigned says, whatever is committed", async () => {
    const { log } = bench;
    await appendTexts(log, "messages", 0, numbered("a", 5));
    await appendTexts(log, "messages", 1, numbered("b", 5));
    const consumer = new TestConsumer();
    consumer.starts = new Map([[0, 3]]);
    await log.subscribe("messages", "g", consumer);
    await consumer.until(() => consumer.count === 7);
    expect(consumer.texts(0)).toEqual(["a3", "a4"]);
    expect(consumer.texts(1)).toEqual(numbered("b", 5));
  });

  test("a partition left out starts at the committed offset", async () => {
    const { log } = bench;
    await appendTexts(log, "messages", 0, numbered("a", 5));
    const first = new TestConsumer();
    const subscription = await log.subscribe("messages", "g", first);
    await first.until(() => first.count === 5);
    subscription.commit(new Map([[0, 4]]));
    await subscription.close();
    const second = new TestConsumer();
    await log.subscribe("messages", "g", second);
    await second.until(() => second.count === 1);
    expect(second.texts(0)).toEqual(["a4"]);
  });

  test("lag counts durable records that were not handed over", async () => {
    const { log } = bench;
    await appendTexts(log, "messages", 0, numbered("a", 5));
    const [gate, entered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const consumer = new TestConsumer();
    consumer.onRecords = () => {
      entered.resolve();
      return gate.promise;
    };
    const subscription = await log.subscribe("messages", "g", consumer);
    await entered.promise;
    await appendTexts(log, "messages", 1, numbered("b", 7));
    const lag = subscription.lag();
    gate.resolve();
    expect(lag).toBeGreaterThanOrEqual(7);
    await consumer.until(() => consumer.count === 12);
    expect(subscription.lag()).toBe(0);
  });
}

function pressureTests(bench: Bench): void {
  test("after a rejection: revoked, assigned, and the same records again", async () => {
    const { log } = bench;
    const consumer = new TestConsumer();
    let rejections = 2;
    consumer.onRecords = async () => {
      if (rejections-- > 0) throw new Error("not now");
    };
    await log.subscribe("messages", "g", consumer);
    await appendTexts(log, "messages", 0, numbered("a", 3));
    await consumer.until(() => consumer.count === 3);
    expect(consumer.texts(0)).toEqual(numbered("a", 3));
    expect(consumer.calls.filter((call) => call === "revoked")).toHaveLength(2);
    expect(consumer.calls.filter((call) => call === "assigned")).toHaveLength(3);
    expect(consumer.overlaps).toBe(0);
  });

  test("a consumer that does not answer gets nothing more, and nothing is lost", async () => {
    const { log } = bench;
    const gate = Promise.withResolvers<void>();
    const consumer = new TestConsumer();
    consumer.onRecords = () => gate.promise;
    await log.subscribe("messages", "g", consumer);
    for (let i = 0; i < 50; i++) await appendTexts(log, "messages", i % 4, [`r${i}`]);
    const inHand = consumer.calls.filter((call) => call === "records");
    gate.resolve();
    expect(inHand).toHaveLength(1);
    await consumer.until(() => consumer.count === 50);
    for (let p = 0; p < 4; p++) {
      expect(consumer.texts(p)).toEqual(numbered("r", 50).filter((_, i) => i % 4 === p));
    }
    expect(Math.max(...consumer.batchSizes)).toBeLessThanOrEqual(limits.maxLogBatchRecords);
  });
}

function groupTests(bench: Bench): void {
  test("two members share the partitions; when one leaves the other has all", async () => {
    const { log } = bench;
    const [first, second] = [new TestConsumer(), new TestConsumer()];
    await log.subscribe("messages", "g", first);
    const leaving = await log.subscribe("messages", "g", second);
    await first.until(() => first.owned.size === 2);
    await second.until(() => second.owned.size === 2);
    expect([...first.owned, ...second.owned].sort()).toEqual([0, 1, 2, 3]);
    const [here, there] = [[...first.owned][0]!, [...second.owned][0]!];
    await appendTexts(log, "messages", here, numbered("a", 4));
    await appendTexts(log, "messages", there, numbered("b", 4));
    await first.until(() => first.count === 4);
    await second.until(() => second.count === 4);
    expect(first.texts(here)).toEqual(numbered("a", 4));
    leaving.commit(new Map([[there, 4]]));
    await leaving.close();
    await first.until(() => first.owned.size === 4);
    await appendTexts(log, "messages", there, ["b4"]);
    await first.until(() => first.texts(there).length > 0);
    expect(first.texts(there)).toEqual(["b4"]);
  });

  test("a partition is assigned to the next owner only after the one before gave it up", async () => {
    const { log, harness } = bench;
    if (harness.mayGiveAway === true) return;
    const [gate, entered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const [first, second] = [new TestConsumer(), new TestConsumer()];
    first.onRevoked = () => {
      entered.resolve();
      return gate.promise;
    };
    await log.subscribe("messages", "g", first);
    await log.subscribe("messages", "g", second);
    await entered.promise;
    await manyTurns();
    const early = [...second.owned];
    gate.resolve();
    expect(early).toEqual([]);
    await second.until(() => second.owned.size === 2);
    expect([...second.owned].filter((partition) => first.owned.has(partition))).toEqual([]);
  });

  test("readers without a group each see everything from where they say, and are forgotten", async () => {
    const { log } = bench;
    await appendTexts(log, "messages", 2, numbered("a", 4));
    const [first, second] = [new TestConsumer(), new TestConsumer()];
    second.starts = new Map([[2, 3]]);
    const alone = await log.subscribe("messages", undefined, first);
    await log.subscribe("messages", undefined, second);
    await appendTexts(log, "messages", 2, numbered("b", 2));
    await first.until(() => first.count === 6);
    await second.until(() => second.count === 3);
    expect(second.texts(2)).toEqual(["a3", "b0", "b1"]);
    alone.commit(new Map([[2, 6]]));
    await alone.close();
    const third = new TestConsumer();
    await log.subscribe("messages", undefined, third);
    await third.until(() => third.count === 6);
  });

  test("every group sees everything", async () => {
    const { log } = bench;
    const [first, second] = [new TestConsumer(), new TestConsumer()];
    await log.subscribe("messages", "one", first);
    await log.subscribe("messages", "two", second);
    await appendTexts(log, "messages", 2, numbered("a", 10));
    await first.until(() => first.count === 10);
    await second.until(() => second.count === 10);
    expect(second.texts(2)).toEqual(first.texts(2));
  });
}

function reopenTests(bench: Bench): void {
  test("records, times and offsets are the same after reopening", async () => {
    await appendTexts(bench.log, "messages", 0, numbered("a", 20));
    await appendTexts(bench.log, "push", 1, numbered("p", 5));
    const before = await readAll(bench.log, "messages");
    await bench.log.close();
    bench.log = await bench.harness.open();
    const after = await readAll(bench.log, "messages");
    expect(after.seen.get(0)!.map(({ offset, timeMs }) => [offset, timeMs])).toEqual(
      before.seen.get(0)!.map(({ offset, timeMs }) => [offset, timeMs]),
    );
    expect(after.texts(0)).toEqual(numbered("a", 20));
    expect(await appendTexts(bench.log, "messages", 0, ["next"])).toEqual([20]);
    expect(await bench.log.end("push", 1)).toBe(5);
  });

  test("committed offsets are remembered after an orderly close", async () => {
    await appendTexts(bench.log, "messages", 0, numbered("a", 5));
    const consumer = new TestConsumer();
    const subscription = await bench.log.subscribe("messages", "g", consumer);
    await consumer.until(() => consumer.count === 5);
    subscription.commit(new Map([[0, 2]]));
    await bench.log.close();
    bench.log = await bench.harness.open();
    const again = new TestConsumer();
    await bench.log.subscribe("messages", "g", again);
    await again.until(() => again.count === 3);
    expect(again.texts(0)).toEqual(["a2", "a3", "a4"]);
  });

  test("close settles appends in hand and refuses later ones", async () => {
    const appends = appendTexts(bench.log, "messages", 0, numbered("a", 10));
    const closed = bench.log.close();
    await expect(bench.log.append("messages", 0, payloadOf("late"))).rejects.toMatchObject({
      row: { name: "UNAVAILABLE" },
    });
    await closed;
    await bench.log.close();
    expect(await appends).toHaveLength(10);
    bench.log = await bench.harness.open();
    expect(await bench.log.end("messages", 0)).toBe(10);
  });
}
