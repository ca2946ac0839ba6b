import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ChatPage, launchChromium, type WindowOptions } from "./chat-page.ts";
import { type CuttableProxy, createCuttableProxy } from "./cuttable-proxy.ts";

const cheapPasswords = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1" };
const screenshots = process.env.CHAPPE_SCREENSHOTS;
const dataDir = mkdtempSync(join(tmpdir(), "chappe-browser-"));
const pages: ChatPage[] = [];
let server: ServerProcess;
let browser: Browser;
let proxies: CuttableProxy[] = [];
let users = 0;

beforeAll(async () => {
  server = await startServer({ dataDir, env: cheapPasswords });
  browser = await launchChromium();
});

afterEach(async () => {
  const errors = pages.flatMap((page) => page.errors);
  for (const page of pages.splice(0)) await page.close();
  for (const proxy of proxies) await proxy.close();
  proxies = [];
  expect(errors).toEqual([]);
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** A new user at a page of their own, behind a network that can be cut. */
async function enterAs(base: string, options?: WindowOptions) {
  const name = `${base}${++users}`;
  const proxy = await createCuttableProxy(server.port);
  proxies.push(proxy);
  const url = `http://127.0.0.1:${proxy.port}/`;
  const page = await ChatPage.open(browser, url, options);
  pages.push(page);
  await page.enter(name, "Create an account");
  return { name, url, proxy, page };
}

async function keepPicture(page: ChatPage, name: string): Promise<void> {
  if (screenshots !== undefined) await page.page.screenshot({ path: join(screenshots, `${name}.png`) });
}

test("two people talk, and ticks tell how far a message got", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob", { width: 375, height: 660, colorScheme: "dark" });
  await alice.page.startChat(bob.name);
  await alice.page.say("Is the line up?");
  await alice.page.tick("Is the line up?", "delivered");
  await bob.page.openChat(alice.name);
  await bob.page.sees("Is the line up?");
  await alice.page.tick("Is the line up?", "read");
  await bob.page.say("It is, <b>every</b> arm & beam.");
  await alice.page.sees("It is, <b>every</b> arm & beam.");
  expect(await alice.page.texts()).toEqual(["Is the line up?", "It is, <b>every</b> arm & beam."]);
  expect(await bob.page.texts()).toEqual(await alice.page.texts());
  expect(await alice.page.page.locator(".bubble b").count()).toBe(0);
  await keepPicture(alice.page, "chat-light");
  await keepPicture(bob.page, "chat-dark-narrow");
});

test("who was offline catches up in order, each message once", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  await alice.page.startChat(bob.name);
  await alice.page.say("before");
  await bob.page.openChat(alice.name);
  await bob.page.sees("before");
  bob.proxy.cut();
  await bob.page.page.getByText("Offline.").waitFor();
  await keepPicture(bob.page, "offline");
  const missed = Array.from({ length: 30 }, (_, i) => `missed ${i + 1}`);
  for (const text of missed) await alice.page.say(text);
  await alice.page.tick("missed 30", "sent");
  expect(await bob.page.texts()).toEqual(["before"]);
  bob.proxy.restore();
  await bob.page.sees("missed 30");
  expect(await bob.page.texts()).toEqual(["before", ...missed]);
  await alice.page.tick("missed 30", "read");
});

test("what is written offline waits with a mark and goes out later, even from another tab's life", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  await bob.page.startChat(alice.name);
  await bob.page.say("hello");
  await alice.page.openChat(bob.name);
  await alice.page.sees("hello");
  bob.proxy.cut();
  await bob.page.page.getByText("Offline.").waitFor();
  await bob.page.say("written in the tunnel");
  await bob.page.tick("written in the tunnel", "waiting");
  await bob.page.say("and closed the page");
  await bob.page.tick("and closed the page", "waiting");
  await bob.page.page.close();
  bob.proxy.restore();
  const again = await ChatPage.tab(bob.page.context, bob.url);
  await again.enter(bob.name, "Sign in");
  await alice.page.sees("and closed the page");
  expect(await alice.page.texts()).toEqual(["hello", "written in the tunnel", "and closed the page"]);
  await again.openChat(alice.name);
  await again.tick("and closed the page", "read");
  expect(again.errors).toEqual([]);
});

test("two tabs of one person show the same", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  const second = await ChatPage.tab(alice.page.context, alice.url);
  await second.enter(alice.name, "Sign in");
  await alice.page.startChat(bob.name);
  await alice.page.say("from the first tab");
  await second.openChat(bob.name);
  await second.sees("from the first tab");
  await second.say("from the second tab");
  await alice.page.sees("from the second tab");
  await bob.page.openChat(alice.name);
  await bob.page.say("to both");
  await alice.page.sees("to both");
  await second.sees("to both");
  const all = ["from the first tab", "from the second tab", "to both"];
  expect(await alice.page.texts()).toEqual(all);
  expect(await second.texts()).toEqual(all);
});

test("a group is made, talks, and a member leaves", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  const { page } = alice.page;
  await page.getByRole("button", { name: "New group" }).click();
  await page.getByLabel("Title").fill("Signal towers");
  await page.getByLabel("Members (user names)").fill(`${bob.name} nobody-of-this-name`);
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByText("There is nobody called nobody-of-this-name.").waitFor();
  await page.getByLabel("Members (user names)").fill(bob.name);
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { level: 2, name: "Signal towers" }).waitFor();
  await alice.page.say("to the group");
  await bob.page.openChat("Signal towers");
  await bob.page.sees("to the group");
  await bob.page.page.getByText(`${alice.name} created the group; ${alice.name} added ${bob.name}`).waitFor();
  await keepPicture(bob.page, "group");
  await bob.page.page.getByRole("button", { name: "Members" }).click();
  await bob.page.page.getByRole("button", { name: "Leave" }).click();
  await page.locator(".system", { hasText: `${bob.name} left` }).waitFor();
  await bob.page.say("after leaving");
  await bob.page.page.getByText("You are not a member of this conversation.").waitFor();
});

test("older messages come when one scrolls up", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  await alice.page.startChat(bob.name);
  for (let i = 1; i <= 70; i++) await alice.page.say(`number ${i}.`);
  await alice.page.tick("number 70.", "delivered");
  await bob.page.page.reload();
  await bob.page.openChat(alice.name);
  await bob.page.sees("number 70.");
  expect(await bob.page.page.locator(".bubble-text").count()).toBe(50);
  await bob.page.page.locator(".scroller").evaluate((element) => element.scrollTo(0, 0));
  await bob.page.sees("number 1.");
  expect(await bob.page.texts()).toEqual(Array.from({ length: 70 }, (_, i) => `number ${i + 1}.`));
});

test("a wrong password is told in words", async () => {
  const { name, url } = await enterAs("alice");
  const page = await ChatPage.open(browser, url);
  pages.push(page);
  await page.page.getByLabel("Name", { exact: true }).fill(name);
  await page.page.getByLabel("Password").fill("not the password");
  await page.page.getByRole("button", { name: "Sign in" }).click();
  await page.page.getByText("The name or the password is wrong.").waitFor();
});
