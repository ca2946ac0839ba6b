import { afterEach, expect, test, vi } from "vitest";
import type { ProduceBatch } from "./kafka-client.ts";
import { KafkaLanes } from "./kafka-lanes.ts";

const payloads = ["a", "b", "c"].map((text) => new Uint8Array(Buffer.from(text)));

/** Lanes over a client that fails so often and then takes everything; and what it was given. */
function createLanes(failures: number, onFailure: () => void = () => {}) {
  const given: (readonly ProduceBatch[])[] = [];
  const produce = async (batches: readonly ProduceBatch[]) => {
    given.push(batches);
    if (given.length <= failures) {
      onFailure();
      throw new Error("no answer");
    }
    return batches.map(({ topic, partition }) => ({ topic, partition, baseOffset: 7, timeMs: 1 }));
  };
  return { given, lanes: new KafkaLanes({ client: { produce }, appendTimeoutMs: 10_000, onAppended: () => {} }) };
}

afterEach(() => {
  vi.restoreAllMocks();
});

test("a batch without an answer goes again as it was, and what comes meanwhile waits", async () => {
  const later: Promise<unknown>[] = [];
  const { given, lanes } = createLanes(2, () => later.push(lanes.append("messages", 0, payloads[2]!)));
  const first = await Promise.all(payloads.slice(0, 2).map((payload) => lanes.append("messages", 0, payload)));
  await Promise.all(later);
  expect(first.map(({ offset }) => offset)).toEqual([7, 8]);
  expect(given.map(([batch]) => batch!.records.length)).toEqual([2, 2, 2, 2]);
  expect(given[1]).toEqual(given[0]);
  expect(given[2]).toEqual(given[0]);
});

test.each([3_600_000, -3_600_000])("a clock that jumps by %i ms ends no append and keeps none", async (jumpMs) => {
  const { now } = Date;
  const { given, lanes } = createLanes(1, () => {
    vi.spyOn(Date, "now").mockImplementation(() => now() + jumpMs);
  });
  await expect(lanes.append("messages", 0, payloads[0]!)).resolves.toEqual({ offset: 7, timeMs: 1 });
  expect(given).toHaveLength(2);
});
