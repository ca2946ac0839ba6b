import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, upTo } from "../test-support/collect.ts";
import { fastLimits } from "../test-support/fast-limits.ts";
import { faultSchedule } from "../test-support/fault-schedule.ts";
import { seededRandom } from "../test-support/random.ts";
import { ScriptedServer } from "../test-support/scripted-server.ts";
import { connect } from "./connect.ts";
import { directConversationId, toHex } from "./ids.ts";
import type { SendHandle } from "./outbox/send-handle.ts";

const seeds = 200;
const atOnce = 30;
const users = [1n, 2n, 3n] as const;
const conversations = [directConversationId(1n, 2n), directConversationId(2n, 3n), directConversationId(1n, 3n)];
const faultsUsed = new Map<string, number>();
const unhandled: unknown[] = [];
const onUnhandled = (error: unknown): void => void unhandled.push(error);

beforeAll(() => void process.on("unhandledRejection", onUnhandled));
afterAll(() => void process.off("unhandledRejection", onUnhandled));

/** Three clients talk in three conversations under the faults of a seed; then everything must be as promised. */
async function run(seed: number): Promise<void> {
  const server = await ScriptedServer.start({ echo: seed % 3 === 0, hintMs: 10, pageMessages: 5 + (seed % 20) });
  const schedule = faultSchedule(seed);
  server.faults = schedule;
  const random = seededRandom(seed ^ 0x5eed);
  const clients = await Promise.all(
    users.map((user) => connect({ url: server.url, token: `user-${user}`, limits: fastLimits })),
  );
  try {
    const seen = clients.map((client) => collect(client));
    const handles: SendHandle[] = [];
    for (let round = 0; round < 6; round++) {
      for (let i = random.below(6); i >= 0; i--) {
        const id = random.pick(conversations);
        const sender = random.pick(clients.filter((client) => server.conversation(id).members.includes(client.userId)));
        handles.push(sender.send(id, { text: `${handles.length}` }));
      }
      if (random.chance(0.2))
        for (const connection of server.connections) connection.close(random.pick([undefined, 1001, 4007]));
      await new Promise((resolve) => setTimeout(resolve, random.below(8)));
    }
    schedule.stop();
    await Promise.all(handles.map((handle) => handle.sequenced));
    for (const id of conversations) {
      const { head, members, messages } = server.conversation(id);
      const readers = clients.flatMap((client, index) => (members.includes(client.userId) ? [seen[index]!] : []));
      await Promise.all(readers.map((reader) => reader.reached(id, head)));
      for (const reader of readers) expect(reader.seqs(id)).toEqual(upTo(head));
      const ids = messages.map((message) => toHex(message.clientMessageId));
      const sent = handles.filter((handle) => toHex(handle.conversationId) === toHex(id));
      expect(new Set(ids)).toEqual(new Set(sent.map((handle) => toHex(handle.clientMessageId))));
      expect(ids.length).toBe(sent.length);
      for (const handle of sent) expect(ids[handle.seq! - 1]).toBe(toHex(handle.clientMessageId));
    }
    expect(server.changedResends).toEqual([]);
    for (const [name, times] of schedule.used) faultsUsed.set(name, (faultsUsed.get(name) ?? 0) + times);
  } catch (cause) {
    throw new Error(`seed ${seed}`, { cause });
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await server.close();
  }
}

/** The run, or an error that names the seed when it hangs; most take a second, on a machine with nothing else to do. */
function bounded(seed: number): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`seed ${seed} does not end`)), 60_000);
  return Promise.race([run(seed), promise]).finally(() => clearTimeout(timer));
}

test(`each send settles once and each application sees 1, 2, 3 ... under the faults of ${seeds} seeds`, async () => {
  const waiting = upTo(seeds);
  const worker = async (): Promise<void> => {
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) await bounded(seed);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  expect([...faultsUsed.keys()].sort()).toEqual([
    "cut after",
    "cut before",
    "event late",
    "event lost",
    "event twice",
    "ignored",
    "refused",
    "refused for good though applied",
    "refused though applied",
    "slow",
  ]);
  expect(unhandled).toEqual([]);
}, 180_000);
