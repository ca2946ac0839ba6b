import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import {
  type ChappeClient,
  connect,
  createTokenSource,
  directConversationId,
  register,
} from "@chappe/sdk/src/index.ts";
import { collect, upTo } from "@chappe/sdk/test-support/collect.ts";
import { afterEach, beforeEach, expect, test } from "vitest";

const preload = new URL("../support/shifted-clock.mjs", import.meta.url).href;
const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", NODE_OPTIONS: `--import=${preload}` };
const settleMs = 300;

let folder: string;
let server: ServerProcess;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "chappe-clock-"));
  server = await startServer({ dataDir: folder, env });
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

for (const [name, signal] of [
  ["an hour on", "SIGUSR2"],
  ["an hour back", "SIGWINCH"],
] as const) {
  test(`the server's clock is set ${name} under load: every send gets its seq, in order, once`, async () => {
    const url = `http://127.0.0.1:${server.port}`;
    const accounts = [];
    for (const who of ["anna", "boris"]) accounts.push(await register({ url, name: who, password: "correct horse" }));
    const open: ChappeClient[] = [];
    for (const tokens of accounts) open.push(await connect({ url, getToken: createTokenSource({ url, tokens }) }));
    const [anna, boris] = open as [ChappeClient, ChappeClient];
    const shown = collect(boris);
    const direct = directConversationId(accounts[0]!.userId, accounts[1]!.userId);
    const sends = [];
    for (let i = 1; i <= 30; i++) {
      sends.push(anna.send(direct, { text: `${i}` }));
      // Some before the jump, so that what the server remembers by the clock is there; some in flight during it.
      if (i === 10) await Promise.all(sends.map((send) => send.sequenced));
      if (i === 15) process.kill(server.pid, signal);
      if (i % 10 === 0) await pause(settleMs);
    }
    const seqs = await Promise.all(sends.map((send) => send.sequenced));
    expect(seqs.map(({ seq }) => seq)).toEqual(upTo(30));
    await shown.reached(direct, 30);
    expect(shown.all.map(({ text }) => text)).toEqual(upTo(30).map(String));
    for (const client of open) await client.close();
  });
}
