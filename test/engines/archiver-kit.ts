import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Committing, conversationOf, runOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { walkTaggedMessages } from "@chappe/mesh/codec/message-events.ts";
import { dayOf } from "@chappe/mesh/engines/mysql/day-partitions.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import type { MessageRun, MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { expect } from "vitest";
import type { ArchiverChildSettings } from "./archiver-child.ts";

const childScript = join(import.meta.dirname, "archiver-child.ts");
const dayMs = 86_400_000;
const all = { maxMessages: 100_000, maxBytes: 1_000_000_000 };
const waitMs = 60_000;

/** Conversations of one case, from a number that no other case uses. */
export interface ArchiveLoad {
  readonly conversations: readonly number[];
  /** Messages of each. */
  readonly head: number;
  /** Days of the load that an archiver with the least window may move. */
  readonly closedDays: number;
}

const conversationsPerCase = 12;
/** Places after the last message that must be empty; each costs the history a look. */
const beyond = 300;
const runMessages = 7;
const contentBytes = 60;
/** Messages of each conversation on each day, by how many days ago that is. */
const perDay: readonly (readonly [number, number])[] = [
  [9, 300],
  [6, 70],
  [4, 21],
  [1, 35],
  [0, 14],
];

/** Commits messages of several days, the newest of them open, of so many conversations. */
export async function fillDays(store: MessageStore, firstConversation: number): Promise<ArchiveLoad> {
  const writer = new Committing(store);
  await writer.claim();
  const conversations = upTo(firstConversation, firstConversation + conversationsPerCase - 1);
  let head = 0;
  for (const [daysAgo, count] of perDay) {
    const loggedFromMs = (dayOf(Date.now()) - daysAgo) * dayMs;
    for (let done = 0; done < count; done += runMessages) {
      const size = Math.min(runMessages, count - done);
      await writer.commit(conversations.map((n) => runOf(n, head + 1, size, contentBytes, loggedFromMs)));
      head += size;
    }
  }
  const closed = perDay.filter(([daysAgo]) => daysAgo > limits.minArchiveAfterDays).length;
  return { conversations, head, closedDays: closed };
}

function bytesBySeq(runs: readonly MessageRun[]): Map<number, string> {
  return new Map(
    runs.flatMap(({ bytes }) =>
      [...walkTaggedMessages(bytes)].map(
        ({ seq, start, end }) => [seq, Buffer.from(bytes.subarray(start, end)).toString("latin1")] as const,
      ),
    ),
  );
}

/**
 * Every message is in the store or in the history, in none of them twice, and the same where it is in both. Answers how
 * many the store has and how many the history has.
 */
export async function expectWhole(store: MessageStore, history: MessageHistory, load: ArchiveLoad) {
  let [inStore, inHistory] = [0, 0];
  const toSeq = load.head + beyond;
  for (const n of load.conversations) {
    // In the order of MsgReader: what leaves the store was in the history before.
    const kept = await store.readRange(conversationOf(n), 1, toSeq, all);
    const old = await history.readRange(conversationOf(n), 1, toSeq, all);
    for (const runs of [kept, old]) {
      const seqs = seqsOf(runs);
      expect(new Set(seqs).size).toBe(seqs.length);
    }
    const [here, there] = [bytesBySeq(kept), bytesBySeq(old)];
    const merged = [...new Set([...here.keys(), ...there.keys()])].sort((a, b) => a - b);
    expect(merged).toEqual(upTo(1, load.head));
    expect([...here].filter(([seq, bytes]) => there.has(seq) && there.get(seq) !== bytes)).toEqual([]);
    inStore += here.size;
    inHistory += there.size;
  }
  return { inStore, inHistory };
}

/** A running archiver-child. */
export interface ArchiverChild {
  /** Waits for a line that matches. */
  said(pattern: RegExp): Promise<string>;
  goOn(): void;
  /** Rejects when it has ended by itself. */
  kill(): Promise<void>;
}

/** Starts an archiver as a process of its own; who starts it kills it. */
export function startArchiverChild(settings: ArchiverChildSettings): ArchiverChild {
  const child: ChildProcess = spawn(process.execPath, [childScript, JSON.stringify(settings)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout! }).on("line", (line) => {
    lines.push(line);
    for (const wake of waiting) wake();
  });
  const exited = once(child, "exit");
  return {
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${pattern} was not said, but ${lines.slice(-20).join(", ")}`)),
          waitMs,
        );
        const look = (): void => {
          const line = lines.find((one) => pattern.test(one));
          if (line === undefined) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(line);
        };
        waiting.add(look);
        look();
      }),
    goOn: () => void child.stdin!.write("\n"),
    async kill() {
      if (child.exitCode !== null) throw new Error(`the archiver has ended by itself, exit code ${child.exitCode}`);
      child.kill("SIGKILL");
      await exited;
    },
  };
}
