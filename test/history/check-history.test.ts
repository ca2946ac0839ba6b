import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkHistory } from "./check-history.ts";
import { generateHistory } from "./generate-history.ts";
import type { HistoryEvent } from "./history-event.ts";
import { readHistoryFile, writeHistoryFile } from "./history-file.ts";
import { mutations } from "./mutate-history.ts";
import { createSeededRandom } from "./seeded-random.ts";

const seeds = Array.from({ length: 160 }, (_, i) => i + 1);
const histories = new Map(seeds.map((seed) => [seed, generateHistory({ seed, actions: 220 })]));

describe("checkHistory on valid histories", () => {
  it.each(seeds)("finds nothing with seed %i", (seed) => {
    const report = checkHistory(histories.get(seed)!, { requireCaughtUp: true });
    expect(report).toMatchObject({ ok: true });
  });

  it("is fed histories in which everything of interest happens", () => {
    const kinds = new Set([...histories.values()].flat().map((event) => event.kind));
    const all = ["ack", "close", "connect", "fetch", "invoke", "joined", "left", "receive", "refused", "settled"];
    expect([...kinds].sort()).toEqual(all);
    const reports = [...histories.values()].map((events) => checkHistory(events));
    expect(reports.every(({ counts }) => counts.acked > 10 && counts.received > 50)).toBe(true);
    expect(reports.some(({ counts }) => counts.indeterminate > 0)).toBe(true);
  });
});

describe("checkHistory on broken histories", () => {
  it.each(mutations.map((mutation) => [mutation.name, mutation] as const))("catches: %s", (_, mutation) => {
    const missed: number[] = [];
    let applied = 0;
    for (const seed of seeds) {
      const broken = mutation.apply(histories.get(seed)!, createSeededRandom(seed));
      if (broken === undefined) continue;
      applied++;
      const report = checkHistory(broken, { requireCaughtUp: true });
      if (report.ok || report[mutation.expected].count === 0) missed.push(seed);
    }
    expect(missed).toEqual([]);
    expect(applied).toBeGreaterThanOrEqual(100);
  });
});

describe("checkHistory on small cases", () => {
  const on = { user: "a", device: "a1", conversation: "c" };
  const member: HistoryEvent = { kind: "joined", timeUs: 0, user: "a", conversation: "c", seq: 1, onLog: false };
  const sent: HistoryEvent = { kind: "invoke", timeUs: 1, ...on, id: "1", body: 7 };
  const seen = { seq: 1, id: "1", sender: "a", body: 7, system: false };
  const read = (messages: (typeof seen)[], headSeq: number): HistoryEvent => ({
    kind: "fetch",
    timeUs: 9,
    ...on,
    final: true,
    headSeq,
    messages,
  });

  it("lets a send without an ack appear or not", () => {
    expect(checkHistory([member, sent, read([], 0)])).toMatchObject({ ok: true, counts: { indeterminate: 1 } });
    expect(checkHistory([member, sent, read([seen], 1)])).toMatchObject({ ok: true, counts: { indeterminate: 1 } });
  });

  it("finds an empty last page below the head", () => {
    expect(checkHistory([member, sent, read([], 1)])).toMatchObject({ ok: false, hole: { count: 1 } });
  });

  it("counts a wide hole by its messages and keeps few examples", () => {
    const report = checkHistory([member, read([], 1_000)]);
    expect(report.hole).toMatchObject({ count: 1_000, examples: ["a in c: seqs 1 to 1000 are missing"] });
  });

  it("accepts a conflict only where two bodies were sent, and the first body only", () => {
    const other: HistoryEvent = { ...sent, timeUs: 2, body: 8 };
    const conflict: HistoryEvent = { kind: "settled", timeUs: 3, ...on, id: "1", seq: 1, conflict: true };
    expect(checkHistory([member, sent, other, conflict, read([seen], 1)])).toMatchObject({ ok: true });
    expect(checkHistory([member, sent, conflict, read([seen], 1)])).toMatchObject({ conflict: { count: 1 } });
  });

  it("finds two ids at one seq, each read by one member only", () => {
    const other: HistoryEvent = { ...member, user: "b" };
    const alsoSent: HistoryEvent = { ...sent, id: "2" };
    const readOfB = { ...read([{ ...seen, id: "2" }], 1), user: "b", device: "b1" } as HistoryEvent;
    const report = checkHistory([member, other, sent, alsoSent, read([seen], 1), readOfB]);
    expect(report.duplicate.examples).toEqual(["c seq 1 holds ids 1 and 2"]);
  });

  it.each([
    ["ack", { kind: "ack", timeUs: 1, ...on, id: "9" }],
    ["settled event", { kind: "settled", timeUs: 1, ...on, id: "9", seq: 1, conflict: false }],
  ] as const)("finds an %s for what was never sent", (_, event) => {
    expect(checkHistory([member, event])).toMatchObject({ ok: false, phantom: { count: 1 } });
  });

  it("counts a case once however many readers saw it", () => {
    const forged = { ...seen, id: "2" };
    const report = checkHistory([member, read([forged], 1), read([forged], 1)]);
    expect(report.phantom.count).toBe(1);
  });
});

describe("history files", () => {
  it("give back what was written", async () => {
    const folder = mkdtempSync(join(tmpdir(), "chappe-history-"));
    try {
      const path = join(folder, "run.ndjson");
      const events = histories.get(1)!;
      writeHistoryFile(path, events);
      expect(await readHistoryFile(path)).toEqual(events);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
