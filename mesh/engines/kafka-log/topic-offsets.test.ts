import { expect, test, vi } from "vitest";
import { limits } from "../../limits.ts";
import { createTopicOffsets } from "./topic-offsets.ts";

const rows = [{ partition: 0, offset: "7", low: "3", high: "7" }];

function createAdmin(failures: readonly Error[]) {
  const left = [...failures];
  return {
    connect: vi.fn(async () => {}),
    disconnect: vi.fn(async () => {}),
    fetchTopicOffsets: vi.fn(async () => {
      const error = left.shift();
      if (error !== undefined) throw error;
      return rows;
    }),
  };
}

test("learns of leaders anew and asks again when a partition has another leader", async () => {
  const moved = Object.assign(new Error("This server is not the leader"), { retriable: true });
  const admin = createAdmin([moved, moved]);
  await expect(createTopicOffsets(admin).read("messages")).resolves.toEqual(new Map([[0, { low: 3, high: 7 }]]));
  expect(admin.connect).toHaveBeenCalledTimes(2);
  expect(admin.fetchTopicOffsets).toHaveBeenCalledTimes(3);
});

test("does not ask again for an error that stays", async () => {
  const admin = createAdmin([new Error("not authorised")]);
  await expect(createTopicOffsets(admin).read("messages")).rejects.toThrow("not authorised");
  expect(admin.fetchTopicOffsets).toHaveBeenCalledTimes(1);
});

test("shares one question among those who ask while another is under way", async () => {
  const admin = createAdmin([]);
  const offsets = createTopicOffsets(admin);
  await Promise.all([offsets.read("messages"), offsets.read("messages"), offsets.read("messages")]);
  expect(admin.fetchTopicOffsets).toHaveBeenCalledTimes(2);
});

test("does not connect anew while the ends of another topic are asked for", async () => {
  const moved = Object.assign(new Error("This server is not the leader"), { retriable: true });
  const admin = createAdmin([moved]);
  let asking = 0;
  const fetch = admin.fetchTopicOffsets.getMockImplementation()!;
  admin.fetchTopicOffsets.mockImplementation(async () => {
    asking++;
    try {
      const rows = await fetch();
      // Longer than the pause before another connects anew.
      await new Promise((resolve) => setTimeout(resolve, limits.kafkaRetryMaxMs));
      return rows;
    } finally {
      asking--;
    }
  });
  admin.disconnect.mockImplementation(async () => expect(asking).toBe(0));
  const offsets = createTopicOffsets(admin);
  await Promise.all([offsets.read("messages"), offsets.read("push")]);
  expect(admin.disconnect).toHaveBeenCalledTimes(1);
});
