import { Committing, conversationOf, memberOf, runOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import type { ArchiveDay, ArchiveLead, ArchiveSource, RunPosition } from "@chappe/mesh/ports/archive-source.ts";
import type { MessageRun, MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** A store and the archive side of it, for one test. */
export interface ArchiveHarness {
  readonly store: MessageStore;
  readonly source: ArchiveSource;
  /** A second archiver on the same data; undefined = there can only be one. */
  other?(): Promise<ArchiveSource>;
  /** Days that the source keeps apart, oldest first; the last of them is open. */
  readonly days: readonly [number, number, number];
  destroy(): Promise<void>;
}

const dayMs = 86_400_000;
const all = { maxMessages: 100_000, maxBytes: 100_000_000 };

/** Runs of a day, all pages of them. */
async function readDay(lead: ArchiveLead, day: number, limit: number): Promise<MessageRun[]> {
  const runs: MessageRun[] = [];
  for (let after: RunPosition | undefined; ; after = runs.at(-1)) {
    const page = await lead.readPage(day, after, limit);
    expect(page.length).toBeLessThanOrEqual(limit);
    if (page.length === 0) return runs;
    runs.push(...page);
  }
}

/** The suite that every engine of the ArchiveSource port passes. */
export function describeArchiveSource(name: string, createHarness: () => Promise<ArchiveHarness>): void {
  describe(`archive source: ${name}`, () => {
    let harness: ArchiveHarness;
    let writer: Committing;
    const onDay = (day: number, conversation: number, first: number, count: number): MessageRun =>
      runOf(conversation, first, count, 30, day * dayMs + 1_000);
    beforeEach(async () => {
      harness = await createHarness();
      writer = new Committing(harness.store);
      await writer.claim();
      const [old, later, open] = harness.days;
      await writer.commit([onDay(old, 1, 1, 3), onDay(old, 2, 1, 2)], [], [memberOf(1, 7n, 1)]);
      await writer.commit([onDay(old, 1, 4, 2), onDay(old, 3, 1, 1)]);
      await writer.commit([onDay(later, 1, 6, 4), onDay(open, 2, 3, 2)]);
    });
    afterEach(async () => {
      await harness.source.close();
      await harness.store.close();
      await harness.destroy();
    });
    const lead = <T>(work: (lead: ArchiveLead) => Promise<T>) => harness.source.lead(work);

    test("closed days come oldest first, those that are open do not", async () => {
      const [old, later, open] = harness.days;
      const days = await lead((one) => one.closedDays(open));
      const known = days!.filter(({ day }) => day === old || day === later);
      expect(known.map(({ day, step, after }) => ({ day, step, after }))).toEqual([
        { day: old, step: "copying", after: undefined },
        { day: later, step: "copying", after: undefined },
      ]);
      expect(days!.some(({ day }) => day === open)).toBe(false);
      expect((await lead((one) => one.closedDays(later)))!.some(({ day }) => day === later)).toBe(false);
    });

    test.each([1, 2, 100])("pages of %i hold every run of the day once, in order", async (limit) => {
      const [old, later] = harness.days;
      const runs = await lead((one) => readDay(one, old, limit));
      expect(runs!.map(({ conversationId, firstSeq }) => [conversationId[15], firstSeq])).toEqual([
        [1, 1],
        [1, 4],
        [2, 1],
        [3, 1],
      ]);
      expect(seqsOf(runs!)).toEqual([...upTo(1, 5), 1, 2, 1]);
      expect(seqsOf((await lead((one) => readDay(one, later, limit)))!)).toEqual(upTo(6, 9));
    });

    test("where a day stands is kept, and told to anybody", async () => {
      const [old, , open] = harness.days;
      const day: ArchiveDay = {
        ...{ day: old, step: "copying", copiedTimeMs: 0, recopies: 2 },
        after: { conversationId: conversationOf(2), firstSeq: 1 },
        ...{ messages: 5, bytes: 2 ** 40, digest: "ab".repeat(32), archivedTimeMs: 0 },
      };
      await lead((one) => one.save(day));
      expect((await lead((one) => one.closedDays(open)))!.find((one) => one.day === old)).toEqual(day);
      expect(await harness.source.days()).toContainEqual(day);
      const { after: _, ...waiting } = day;
      await lead((one) => one.save({ ...waiting, step: "waiting", copiedTimeMs: 77 }));
      expect(await harness.source.days()).toContainEqual({ ...waiting, step: "waiting", copiedTimeMs: 77 });
    });

    test("a drop takes the day's runs and nothing else", async () => {
      const [old] = harness.days;
      const { store } = harness;
      const dropped = await lead(async (one) => one.drop(old, await one.lateMark()));
      expect(dropped).toBe(true);
      expect(seqsOf(await store.readRange(conversationOf(1), 1, 100, all))).toEqual(upTo(6, 9));
      expect(seqsOf(await store.readRange(conversationOf(2), 1, 100, all))).toEqual([3, 4]);
      expect(await store.heads([1, 2, 3].map(conversationOf))).toEqual([9, 4, 1]);
      expect(await store.members(conversationOf(1))).toHaveLength(1);
      expect((await store.progress([0])).get(0)?.nextOffset).toBe(3);
      await writer.commit([runOf(3, 2, 1)]);
      expect(await store.heads([conversationOf(3)])).toEqual([2]);
    });

    test("a day that is gone counts as dropped, and one that was being dropped as archived", async () => {
      const [old, , open] = harness.days;
      await lead(async (one) => {
        const [day] = (await one.closedDays(open)).filter((each) => each.day === old);
        await one.save({ ...day!, step: "dropping" });
        expect(await one.drop(old, await one.lateMark())).toBe(true);
        expect(await one.drop(old, await one.lateMark())).toBe(true);
        expect((await one.closedDays(open)).some((each) => each.day === old)).toBe(false);
      });
      const [day] = (await harness.source.days()).filter((each) => each.day === old);
      expect(day?.step).toBe("archived");
      expect(day?.archivedTimeMs).toBeGreaterThan(0);
    });

    test("a commit into a closed day after the mark keeps it from being dropped", async () => {
      const [old] = harness.days;
      await lead(async (one) => {
        const mark = await one.lateMark();
        await writer.commit([onDay(old, 9, 1, 2)]);
        expect(await one.drop(old, mark)).toBe(false);
        expect(seqsOf(await readDay(one, old, 100))).toEqual([...upTo(1, 5), 1, 2, 1, 1, 2]);
        expect(await one.drop(old, await one.lateMark())).toBe(true);
      });
      expect(await harness.store.readRange(conversationOf(9), 1, 10, all)).toEqual([]);
    });

    test("one leads at a time; the next may when the first has ended", async () => {
      const other = harness.other === undefined ? harness.source : await harness.other();
      const inner = await lead(() => other.lead(async () => "both"));
      expect(inner).toBeUndefined();
      expect(await other.lead(async () => "after")).toBe("after");
      await expect(
        lead(async () => {
          throw new Error("work fails");
        }),
      ).rejects.toThrow();
      expect(await other.lead(async () => "again")).toBe("again");
      if (other !== harness.source) await other.close();
    });

    test("a lead is over with its work", async () => {
      let kept: ArchiveLead | undefined;
      await lead(async (one) => {
        kept = one;
      });
      await expect(kept!.lateMark()).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
      await expect(kept!.drop(harness.days[0], 0)).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
      expect(seqsOf(await harness.store.readRange(conversationOf(1), 1, 5, all))).toEqual(upTo(1, 5));
    });
  });
}
