/** A process for tests to kill: `store-child.ts <directory>` commits one message a step and says every twentieth seq. */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Committing, conversationOf, memberOf, runOf, sendOf } from "@chappe/bench/support/store-kit.ts";
import { createSqliteMessageStore } from "@chappe/mesh/engines/sqlite-message-store/create-sqlite-message-store.ts";

const maxLifeMs = 30_000;
const [directory] = process.argv.slice(2) as [string];

setTimeout(() => process.exit(3), maxLifeMs);
const store = await createSqliteMessageStore({ directory, flushIntervalMs: 5 });
const writer = new Committing(store);
await writer.claim();
const [head] = await store.heads([conversationOf(1)]);
for (let seq = head! + 1; ; seq++) {
  await writer.commit([runOf(1, seq, 1, 300)], [sendOf(1, seq)], [memberOf(1, BigInt(seq), seq)]);
  if (seq % 20 > 0) continue;
  writeSync(1, `${seq}\n`);
  await sleep(1);
}
