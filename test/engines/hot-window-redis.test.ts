import { conversationOf, runOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { openRedis, type RedisClient } from "@chappe/mesh/engines/redis/open-redis.ts";
import { createRedisHotWindow } from "@chappe/mesh/engines/redis-hot-window/redis-hot-window.ts";
import { defaultWindowBounds } from "@chappe/mesh/engines/window-blocks.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { HotWindow } from "@chappe/mesh/ports/hot-window.ts";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeHotWindow } from "./hot-window-conformance.ts";
import { redisForTests } from "./kit/engines-for-tests.ts";

const startMs = 60_000;
/** Long enough for a busy machine: what is measured here is not speed. */
const timeoutMs = 10_000;
const all = { maxMessages: 1_000, maxBytes: 1_000_000 };

const mastersOf = (client: RedisClient) => (client instanceof Cluster ? client.nodes("master") : [client]);

async function windowKeys(client: RedisClient): Promise<string[]> {
  const lists = await Promise.all(mastersOf(client).map((node) => node.keys("chappe:window:*")));
  return lists.flat();
}

async function forgetWindows(client: RedisClient): Promise<void> {
  for (const key of await windowKeys(client)) await client.del(key);
}

/** Keys go by Redis's clock, which a test cannot move: their ends are moved instead. */
async function passMs(client: RedisClient, ms: number): Promise<void> {
  for (const key of await windowKeys(client)) {
    const left = await client.pttl(key);
    if (left <= ms) await client.del(key);
    else await client.pexpire(key, left - ms);
  }
}

/** Settles when the window answers. */
async function connected(window: HotWindow): Promise<HotWindow> {
  await expect
    .poll(() => window.readRange(conversationOf(1), 1, 1, all).then(() => "answers", String), { timeout: timeoutMs })
    .toBe("answers");
  return window;
}

describe.each([
  ["Redis", 1],
  ["Redis Cluster", 3],
])("%s", (name, nodes) => {
  let redis: Awaited<ReturnType<typeof redisForTests>>;
  let side: RedisClient;
  beforeAll(async () => {
    redis = await redisForTests(nodes);
    side = openRedis(redis.at);
    await new Promise<void>((resolve) => side.once("ready", () => resolve()));
  }, startMs);
  afterAll(async () => {
    side?.disconnect();
    await redis?.close();
  });

  describeHotWindow(name, async () => {
    await forgetWindows(side);
    let clockMs = Date.now();
    const windows: HotWindow[] = [];
    return {
      async open(bounds = {}) {
        const every = { ...defaultWindowBounds, ...bounds };
        const options = { addresses: redis.at, timeoutMs, bounds: every, now: () => clockMs };
        windows.push(createRedisHotWindow(options));
        return connected(windows.at(-1)!);
      },
      async passMs(ms) {
        clockMs += ms;
        await passMs(side, ms);
      },
      forget: () => forgetWindows(side),
      async close() {
        for (const window of windows) await window.close();
      },
    };
  });

  test("keeps runs together in one key a conversation, which ends by itself", async () => {
    await forgetWindows(side);
    const window = await connected(createRedisHotWindow({ addresses: redis.at, timeoutMs }));
    for (let seq = 1; seq <= 200; seq++) await window.append([runOf(1, seq, 1, 30), runOf(2, seq, 1, 30)]);
    const keys = await windowKeys(side);
    expect(keys).toHaveLength(2);
    for (const key of keys) {
      expect(await side.zcard(key)).toBeLessThan(20);
      expect(await side.pttl(key)).toBeGreaterThan(defaultWindowBounds.maxAgeMs - 60_000);
    }
    await window.close();
  });

  test("windows of different data see nothing of each other", async () => {
    await forgetWindows(side);
    const open = (dataId: string) => connected(createRedisHotWindow({ addresses: redis.at, timeoutMs, dataId }));
    const [a, b] = [await open("a"), await open("b")];
    await a.append([runOf(1, 1, 9)]);
    await b.append([runOf(1, 3, 1)]);
    const held = async (window: HotWindow) => seqsOf(await window.readRange(conversationOf(1), 1, 99, all));
    expect(await held(a)).toEqual(upTo(1, 9));
    expect(await held(b)).toEqual([3]);
    for (const window of [a, b]) await window.close();
  });

  test("everything lost in the middle of a stream of runs: contiguous at all times, and filling again", async () => {
    await forgetWindows(side);
    const window = await connected(createRedisHotWindow({ addresses: redis.at, timeoutMs }));
    const held = async (n: number): Promise<number[]> =>
      seqsOf(await window.readRange(conversationOf(n), 1, 10_000, all));
    const conversations = upTo(1, 6);
    for (let seq = 1; seq <= 400; seq += 2) {
      const appended = window.append(conversations.map((n) => runOf(n, seq, 2)));
      if (seq % 100 === 51) await Promise.all(mastersOf(side).map((node) => node.flushall()));
      await appended;
      const seqs = await held(1 + (seq % 6));
      if (seqs.length > 0) expect(seqs).toEqual(upTo(seqs[0]!, seq + 1));
    }
    for (const n of conversations) {
      const seqs = await held(n);
      expect(seqs.length).toBeGreaterThanOrEqual(48);
      expect(seqs).toEqual(upTo(401 - seqs.length, 400));
    }
    await window.close();
  });
});

test("a server that stops answering, and one that is gone: UNAVAILABLE, and back when it is", async () => {
  const redis = await redisForTests(1, {});
  const window = createRedisHotWindow({ addresses: redis.at, timeoutMs: 300 });
  const refused = (call: Promise<unknown>) =>
    expect(call).rejects.toSatisfy((error) => ChappeError.is(error, "UNAVAILABLE"));
  try {
    await connected(window);
    await window.append([runOf(1, 1, 3)]);
    const node = redis.own!.nodes[0]!;
    await node.kill("SIGSTOP");
    await refused(window.append([runOf(1, 4, 1)]));
    await refused(window.readRange(conversationOf(1), 1, 3, all));
    await node.kill("SIGCONT");
    await connected(window);
    await node.kill("SIGKILL");
    await refused(window.append([runOf(1, 5, 1)]));
    await refused(window.readRange(conversationOf(1), 1, 3, all));
    await node.restart();
    await connected(window);
    await window.append([runOf(1, 4, 2)]);
    const seqs = seqsOf(await window.readRange(conversationOf(1), 1, 9, all));
    expect(seqs).toEqual(upTo(6 - seqs.length, 5));
  } finally {
    await window.close();
    await redis.close();
  }
});
