import { UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { connect, register } from "@chappe/sdk/src/index.ts";
import { expect, test } from "vitest";
import { createChatWorld } from "./chat-world.ts";

/** Messages that the page shows at once, and those of one page of history. */
const maxShown = 400;
const pageMessages = 50;

const world = createChatWorld();
const { enterAs, keepPicture } = world;

test("who was offline catches up in order, each message once", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  await alice.page.startChat(bob.name);
  await alice.page.say("before");
  await bob.page.openChat(alice.name);
  await bob.page.sees("before");
  bob.proxy.cut();
  await bob.page.page.getByText("Offline.").waitFor();
  await keepPicture(bob.page, "offline-light");
  const missed = Array.from({ length: 30 }, (_, i) => `missed ${i + 1}`);
  for (const text of missed) await alice.page.say(text);
  await alice.page.tick("missed 30", "sent");
  expect(await bob.page.texts()).toEqual(["before"]);
  bob.proxy.restore();
  await bob.page.sees("missed 30");
  expect(await bob.page.texts()).toEqual(["before", ...missed]);
  await alice.page.tick("missed 30", "read");
});

test("what is written offline waits with a clock, outlives reloads, and goes out later", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  await bob.page.startChat(alice.name);
  await bob.page.say("hello");
  await alice.page.openChat(bob.name);
  await alice.page.sees("hello");
  await bob.page.isKept();
  bob.proxy.cut();
  await bob.page.page.getByText("Offline.").waitFor();
  await bob.page.say("written in the tunnel");
  await bob.page.tick("written in the tunnel", "waiting");
  await bob.page.say("and a second one");
  await bob.page.tick("and a second one", "waiting");
  await keepPicture(bob.page, "waiting-light");
  await bob.page.page.reload();
  await bob.page.page.getByText("Offline.").waitFor();
  await bob.page.openChat(alice.name);
  await bob.page.tick("written in the tunnel", "waiting");
  await bob.page.tick("and a second one", "waiting");
  expect(await alice.page.texts()).toEqual(["hello"]);
  bob.proxy.restore();
  await alice.page.sees("and a second one");
  expect(await alice.page.texts()).toEqual(["hello", "written in the tunnel", "and a second one"]);
  await bob.page.tick("and a second one", "read");
  expect(await bob.page.texts()).toEqual(await alice.page.texts());
});

test("what a closed tab had not sent goes out from the next one", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  await bob.page.startChat(alice.name);
  await bob.page.say("hello");
  await bob.page.tick("hello", "delivered");
  bob.proxy.cut();
  await bob.page.page.getByText("Offline.").waitFor();
  await bob.page.say("and closed the page");
  await bob.page.tick("and closed the page", "waiting");
  await bob.page.page.close();
  bob.proxy.restore();
  const again = await world.tabOf(bob);
  await again.enter(bob.name, "Sign in");
  await alice.page.openChat(bob.name);
  await alice.page.sees("and closed the page");
  expect(await alice.page.texts()).toEqual(["hello", "and closed the page"]);
  await again.openChat(alice.name);
  await again.tick("and closed the page", "read");
});

test("a tick that was missed offline is there after it", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  await alice.page.startChat(bob.name);
  await alice.page.say("read me");
  await alice.page.tick("read me", "delivered");
  alice.proxy.cut();
  await alice.page.page.getByText("Offline.").waitFor();
  await bob.page.openChat(alice.name);
  await bob.page.say("I did");
  await bob.page.tick("I did", "sent");
  alice.proxy.restore();
  await alice.page.sees("I did");
  await alice.page.tick("read me", "read");
});

test("a long talk is read back to its start, a bounded part of it at a time", async () => {
  const bob = await enterAs("bob");
  const url = world.serverUrl();
  const tokens = await register({ url, name: "chatterbox", password: "semaphore-1794" });
  await using client = await connect({ url, token: tokens.accessToken });
  const { users } = await client.call(UserService).getUsers({ names: [bob.name] });
  const total = maxShown + 60;
  const sends = Array.from({ length: total }, (_, i) =>
    client.send(users[0]!.directConversationId, { text: `number ${i + 1}.` }),
  );
  await Promise.all(sends.map(({ sequenced }) => sequenced));
  await bob.page.openChat("chatterbox");
  await bob.page.sees(`number ${total}.`);
  const { page } = bob.page;
  const first = page.getByText("number 1.", { exact: true });
  for (let pages = 0; pages < total && !(await first.isVisible()); pages++) {
    await page.locator(".scroller").evaluate((scroller) => scroller.scrollTo(0, 0));
    await page.locator(".hint", { hasText: "Loading" }).waitFor({ state: "hidden" });
  }
  const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `number ${from + i}.`);
  expect(await bob.page.texts()).toEqual(numbers(1, maxShown));
  client.send(users[0]!.directConversationId, { text: "meanwhile" });
  await page.getByRole("button", { name: "1 new" }).click();
  await bob.page.sees("meanwhile");
  expect(await bob.page.texts()).toEqual([...numbers(total - pageMessages + 2, total), "meanwhile"]);
  await page.getByRole("button", { name: "Newest" }).waitFor({ state: "hidden" });
});
