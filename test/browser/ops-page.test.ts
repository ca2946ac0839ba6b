import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openDevice } from "../support/chat-device.ts";
import { directId, type HttpUser, registerMany } from "../support/http-user.ts";
import { ChatPage, launchChromium, type WindowOptions } from "./chat-page.ts";

const cheap = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_AUTH_ATTEMPT_BURST: "100000" };
const env = { ...cheap, CHAPPE_OPS_PORT: "0" };
const folder = mkdtempSync(join(tmpdir(), "chappe-ops-page-"));
const pictures = process.env.CHAPPE_SCREENSHOTS;
const pictureHeight = 860;
let browser: Browser;
let server: ServerProcess;
let users: HttpUser[];

beforeAll(async () => {
  [server, browser] = await Promise.all([
    startServer({ dataDir: join(folder, "dev"), env: { ...env, CHAPPE_DEV: "1" } }),
    launchChromium(),
  ]);
  users = await registerMany(`http://127.0.0.1:${server.port}`, "u", 2);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

const opsUrl = ({ ready }: ServerProcess): string => `http://127.0.0.1:${ready.opsPort}`;
const open = (at: ServerProcess, options?: WindowOptions): Promise<ChatPage> =>
  ChatPage.open(browser, `${opsUrl(at)}/`, options);

async function keep({ page }: ChatPage, name: string): Promise<void> {
  if (pictures === undefined) return;
  const { width } = page.viewportSize()!;
  const clip = { x: 0, y: 0, width, height: pictureHeight };
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true, clip });
}

test("shows figures, slow messages with their hops, and where a message is", async () => {
  const url = `http://127.0.0.1:${server.port}`;
  const conversationId = directId(users[0]!, users[1]!);
  const sender = await openDevice(url, users[0]!.token);
  const reader = await openDevice(url, users[1]!.token, 7n);
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) {
    ids.push(await sender.send(conversationId));
    await reader.receive(ids.at(-1)!);
  }
  const wide = await open(server);
  const narrow = await open(server, { width: 375, height: 660, colorScheme: "dark" });
  for (const one of [wide, narrow]) {
    const { page } = one;
    await page.locator('[data-tile="connections"] dd', { hasText: "WebSocket 2" }).waitFor();
    await page.locator('[data-tile="messages/s in"]', { hasText: "5 since the start" }).waitFor();
    await page.locator('[data-tile="commits"]', { hasText: "up to date" }).waitFor();
    await page.locator('[data-tile="within 1 s"] dd', { hasText: "100.0%" }).waitFor();
    await page.locator(".slow button", { hasText: ids[0]! }).click();
    await page.locator(".hops tr", { hasText: "MsgWriter sequence" }).waitFor();
    expect(await page.locator(".hops rect").count()).toBeGreaterThan(6);
    // Nothing is wider than the window.
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  }
  await keep(wide, "ops-light");
  await keep(narrow, "ops-dark-narrow");
  const { page } = wide;
  await page.getByLabel("Client message id").fill("<img src=x onerror=alert(1)>");
  await page.getByRole("button", { name: "Find" }).click();
  await page.getByText("32 hexadecimal digits").waitFor();
  await page.getByLabel("Client message id").fill("0".repeat(32));
  await page.getByRole("button", { name: "Find" }).click();
  await page.getByText("no process remembers it").waitFor();
  expect(await page.locator("main img").count()).toBe(0);
  for (const one of [wide, narrow]) {
    expect(one.errors).toEqual([]);
    await one.close();
  }
  for (const { socket } of [sender, reader]) socket.close();
});

test("in development mode failures are a click away, and end", async () => {
  const url = `http://127.0.0.1:${server.port}`;
  const conversationId = directId(users[0]!, users[1]!);
  const sender = await openDevice(url, users[0]!.token, 2n);
  const ops = await open(server);
  const { page } = ops;
  await page.locator('[data-switch="refuseAppends"]').click();
  await page.getByText("On for").waitFor();
  await expect(sender.send(conversationId)).rejects.toMatchObject({ message: expect.any(String) });
  await page.locator('[data-switch="refuseAppends"]', { hasText: "stop" }).click();
  await page.getByText("On for").waitFor({ state: "hidden" });
  await sender.send(conversationId);
  const reader = await openDevice(url, users[1]!.token, 8n);
  await page.locator('[data-switch="delayDeliveries"]').click();
  await page.getByText("On for").waitFor();
  const late = await sender.send(conversationId);
  await reader.receive(late);
  await page.locator(".slow button", { hasText: late }).waitFor();
  await vi.waitFor(
    async () => expect(await page.locator(".slow strong").first().textContent()).toMatch(/^[12]\d{3} ms$/),
    10_000,
  );
  expect(ops.errors).toEqual([]);
  await ops.close();
  for (const { socket } of [sender, reader]) socket.close();
});

test("failures take no orders from elsewhere", async () => {
  const order = (headers: Record<string, string>, body = '{"name":"refuseAppends","forMs":1000}') =>
    fetch(`${opsUrl(server)}/ops/switch`, { method: "POST", headers, body }).then(({ status }) => status);
  const json = { "content-type": "application/json" };
  expect(await order({ ...json, origin: "http://example.org" })).toBe(403);
  expect(await order(json)).toBe(403);
  expect(await order({ "content-type": "text/plain", origin: opsUrl(server) })).toBe(403);
  expect(await order({ ...json, origin: opsUrl(server) }, "{}")).toBe(400);
  expect(await order({ ...json, origin: opsUrl(server) }, '{"name":"constructor","forMs":1}')).toBe(400);
  const { switches } = (await (await fetch(`${opsUrl(server)}/ops/stats.json`)).json()) as {
    switches: { leftMs: number }[];
  };
  expect(switches.map(({ leftMs }) => leftMs === 0)).toContain(true);
});

test("without development mode there are none", async () => {
  const plain = await startServer({ dataDir: join(folder, "plain"), env: { ...env, CHAPPE_DEV: "0" } });
  try {
    const stats = (await (await fetch(`${opsUrl(plain)}/ops/stats.json`)).json()) as object;
    expect(Object.keys(stats)).not.toContain("switches");
    const headers = { "content-type": "application/json", origin: opsUrl(plain) };
    const body = '{"name":"refuseAppends","forMs":1000}';
    expect((await fetch(`${opsUrl(plain)}/ops/switch`, { method: "POST", headers, body })).status).toBe(404);
    const ops = await open(plain);
    await ops.page.locator('[data-tile="connections"]').waitFor();
    expect(await ops.page.locator("[data-switch]").count()).toBe(0);
    expect(await ops.page.getByText("Failures on demand").isVisible()).toBe(false);
    expect(ops.errors).toEqual([]);
    await ops.close();
  } finally {
    await plain.close();
  }
});
