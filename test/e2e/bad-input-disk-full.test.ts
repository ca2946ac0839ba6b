import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { expectServes, readTexts, sendText } from "../support/good-message.ts";
import { type HttpUser, RpcFailure, registerUser } from "../support/http-user.ts";

const run = promisify(execFile);
const diskBytes = 24 * 1024 * 1024;
const reserveBytes = 2 * 1024 * 1024;
const textBytes = 15_000;
/** More sends than the disk can hold. */
const maxSends = 4_000;
/** Long enough for the start to meet the full disk. */
const startedFullMs = 3_000;
const sendsAtOnce = 8;

let disk: string;
let server: ServerProcess;
let alice: HttpUser;
let bob: HttpUser;

beforeEach(async () => {
  disk = mkdtempSync(join(tmpdir(), "chappe-disk-"));
  await run("mount", ["-t", "tmpfs", "-o", `size=${diskBytes}`, "tmpfs", disk]).catch((cause: unknown) => {
    throw new Error("this test mounts a small tmpfs and must run as root where mount is permitted", { cause });
  });
});
afterEach(async () => {
  // What could not be started is killed, and gone a moment later.
  await server.close();
  await vi.waitFor(() => run("umount", [disk]), 5_000);
  rmSync(disk, { recursive: true });
});

async function start(minFreeBytes: number, port = 0): Promise<void> {
  const dataDir = join(disk, "data");
  mkdirSync(dataDir, { recursive: true });
  const env = {
    CHAPPE_ARGON2_MEMORY_KIB: "8",
    CHAPPE_ARGON2_PASSES: "1",
    CHAPPE_AUTH_ATTEMPT_BURST: "100000",
    CHAPPE_MIN_FREE_BYTES: String(minFreeBytes),
  };
  server = await startServer({ dataDir, port, env });
}
async function signUp(): Promise<void> {
  const url = `http://127.0.0.1:${server.port}`;
  [alice, bob] = [await registerUser(url, "alice"), await registerUser(url, "bob")];
}

const ballast = (name: string): string => join(disk, name);
/** Leaves so many bytes of the disk free. */
function squeeze(name: string, leaveBytes: number): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(ballast(name), Buffer.alloc(Math.max(bavail * bsize - leaveBytes, 0)));
}

/** Sends until each of several senders was refused; answers what was acknowledged, and the refusals. */
async function fill(label: string): Promise<{ acknowledged: string[]; refusals: RpcFailure[] }> {
  const acknowledged: string[] = [];
  const refusals: RpcFailure[] = [];
  let next = 0;
  const sender = async (): Promise<void> => {
    while (next < maxSends) {
      const text = `${label} ${next++} `.padEnd(textBytes, "x");
      try {
        await sendText(alice, bob, text);
        acknowledged.push(text);
      } catch (error) {
        if (!(error instanceof RpcFailure)) throw new Error(`no answer\n${server.errorText()}`, { cause: error });
        refusals.push(error);
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: sendsAtOnce }, sender));
  return { acknowledged, refusals };
}

const expectReadable = async (texts: readonly string[]): Promise<void> =>
  vi.waitFor(async () => {
    const present = new Set(await readTexts(bob, alice));
    expect(texts.filter((text) => !present.has(text)).map((text) => text.slice(0, 20))).toEqual([]);
  }, 20_000);

const expectDiskFull = (refusals: readonly RpcFailure[]): void => {
  expect(refusals).toHaveLength(sendsAtOnce);
  expect(new Set(refusals.map(({ code, reason }) => `${code} ${reason}`))).toEqual(
    new Set(["resource_exhausted DISK_FULL"]),
  );
};

describe("a full disk", () => {
  it.each([
    ["the reserve is reached", reserveBytes],
    ["there is not a byte left", 0],
  ])(
    "when %s: sends are refused, nothing acknowledged is lost, and it goes on when there is room",
    async (_name, minFreeBytes) => {
      await start(minFreeBytes);
      await signUp();
      const before = ["one", "two", "three"];
      for (const text of before) await sendText(alice, bob, text);
      await expectReadable(before);
      squeeze("ballast", minFreeBytes + 8 * 1024 * 1024);
      const first = await fill("first");
      expectDiskFull(first.refusals);
      expect(first.acknowledged.length).toBeGreaterThan(20);
      squeeze("rest", minFreeBytes);
      const more = await fill("more");
      expectDiskFull(more.refusals);
      expect((await readTexts(bob, alice)).slice(0, before.length)).toEqual(before);

      rmSync(ballast("rest"));
      rmSync(ballast("ballast"));
      await vi.waitFor(() => sendText(alice, bob, "room again"), 10_000);
      await expectReadable([...before, ...first.acknowledged, ...more.acknowledged, "room again"]);
      const all = await readTexts(bob, alice);
      const { port } = server;
      await server.kill();
      await start(minFreeBytes, port);
      expect(await readTexts(bob, alice)).toEqual(all);
      await expectServes(alice, bob);
    },
  );

  it("killed while it is full, and started while it is full: goes on by itself when there is room", async () => {
    await start(reserveBytes);
    await signUp();
    squeeze("ballast", 10 * 1024 * 1024);
    const { acknowledged, refusals } = await fill("first");
    expectDiskFull(refusals);
    squeeze("rest", 0);
    const { port } = server;
    await server.kill();
    const started = start(reserveBytes, port);
    started.catch(() => undefined);
    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow();
    await sleep(startedFullMs);
    rmSync(ballast("rest"));
    rmSync(ballast("ballast"));
    await started;
    // A start that has waited too long serves before the log is replayed.
    await vi.waitFor(() => expectReadable(acknowledged), { timeout: 20_000, interval: 500 });
    await expectServes(alice, bob);
  });
});
