import { conversationOf, runOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { type RedisNode, startRedis } from "@chappe/mesh/dev-engines/start-redis.ts";
import { createRedisHotWindow } from "@chappe/mesh/engines/redis-hot-window/redis-hot-window.ts";
import { Redis } from "ioredis";
import { expect, test } from "vitest";

/** Masters first: node i + masters is a replica of node i. */
const masters = 3;
const mostMs = 60_000;
const conversations = upTo(1, 12);
const all = { maxMessages: 1_000, maxBytes: 1_000_000 };

async function ask(node: RedisNode, ...command: [string, ...string[]]): Promise<unknown> {
  const client = new Redis({ host: "127.0.0.1", port: node.port });
  client.on("error", () => undefined);
  try {
    return await client.call(...command);
  } finally {
    client.disconnect();
  }
}

test("a replica without the last appends takes over: nothing is served over the gap", { timeout: mostMs }, async () => {
  const redis = await startRedis({ nodes: 2 * masters });
  const window = createRedisHotWindow({ addresses: redis.addresses, timeoutMs: 5_000 });
  const held = async (n: number): Promise<number[]> => seqsOf(await window.readRange(conversationOf(n), 1, 1_000, all));
  const append = (firstSeq: number, count: number): Promise<void> =>
    window.append(conversations.map((n) => runOf(n, firstSeq, count)));
  const heldNow = () => Promise.all(conversations.map((n) => held(n))).catch(() => []);
  try {
    await expect.poll(() => append(1, 10).then(() => "taken", String), { timeout: mostMs }).toBe("taken");
    const [master, replica] = [redis.nodes[0]!, redis.nodes[masters]!];
    const role = async (): Promise<string> => String(await ask(replica, "INFO", "replication"));
    await ask(master, "WAIT", "1", "5000");
    await expect.poll(role, { timeout: mostMs }).toContain("master_link_status:up");
    await expect.poll(async () => String(await ask(replica, "DBSIZE"))).toBe(String(await ask(master, "DBSIZE")));
    expect(Number(await ask(master, "DBSIZE"))).toBeGreaterThan(0);

    // The replica stands still and its link is cut: from here on only the master has what is appended.
    await replica.kill("SIGSTOP");
    await ask(master, "CLIENT", "KILL", "TYPE", "replica");
    await append(11, 5);
    expect(await heldNow()).toEqual(conversations.map(() => upTo(1, 15)));
    await master.kill("SIGKILL");
    await replica.kill("SIGCONT");

    await expect.poll(role, { timeout: mostMs }).toContain("role:master");
    await expect.poll(async () => (await heldNow()).length, { timeout: mostMs }).toBe(conversations.length);
    const stale = (await heldNow()).filter((seqs) => seqs.length === 10);
    expect(stale.length).toBeGreaterThan(0);
    expect(stale).toEqual(stale.map(() => upTo(1, 10)));
    // The writer goes on where it is, not where the replica is.
    await append(16, 2);
    const after = await heldNow();
    expect(after.filter((seqs) => seqs[0] === 16)).toEqual(stale.map(() => [16, 17]));
    expect(after.filter((seqs) => seqs[0] !== 16)).toEqual(conversations.slice(stale.length).map(() => upTo(1, 17)));
  } finally {
    await window.close();
    await redis.close();
  }
});
