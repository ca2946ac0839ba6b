import { createDemoData, demoAccounts } from "@chappe/services/all/demo-data.ts";
import { expect, test } from "vitest";
import { createChatWorld } from "./chat-world.ts";

const world = createChatWorld();
const { enterAs, keepPicture } = world;

test("two people talk, and ticks tell how far a message got", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob", { width: 375, height: 660, colorScheme: "dark" });
  await alice.page.startChat(bob.name);
  await alice.page.say("Is the line up?");
  await alice.page.tick("Is the line up?", "delivered");
  await bob.page.item(alice.name).getByLabel("1 unread").waitFor();
  await keepPicture(bob.page, "list-dark-narrow");
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

test("two tabs of one person show the same, and what is read in one is read in the other", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  const second = await world.tabOf(alice);
  await second.enter(alice.name, "Sign in");
  await bob.page.startChat(alice.name);
  await bob.page.say("to both");
  await alice.page.item(bob.name).getByLabel("1 unread").waitFor();
  await second.item(bob.name).getByLabel("1 unread").waitFor();
  await alice.page.openChat(bob.name);
  await second.item(bob.name).getByLabel("1 unread").waitFor({ state: "hidden" });
  await alice.page.say("from the first tab");
  await second.openChat(bob.name);
  await second.sees("from the first tab");
  await second.say("from the second tab");
  await alice.page.sees("from the second tab");
  const all = ["to both", "from the first tab", "from the second tab"];
  expect(await alice.page.texts()).toEqual(all);
  expect(await second.texts()).toEqual(all);
});

test("who is invisible looks offline, and talks all the same", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  await bob.page.startChat(alice.name);
  const subtitle = bob.page.page.locator(".pane-head .subtitle");
  await subtitle.getByText("online", { exact: true }).waitFor();
  const button = alice.page.page.getByRole("button", { name: "Invisible" });
  await button.click();
  await subtitle.getByText("offline", { exact: true }).waitFor();
  expect(await button.getAttribute("aria-pressed")).toBe("true");
  await keepPicture(alice.page, "invisible-light");
  await bob.page.say("are you there?");
  await alice.page.item(bob.name).getByLabel("1 unread").waitFor();
  await button.click();
  await subtitle.getByText("online", { exact: true }).waitFor();
});

test("a group is made and talks; who leaves is told so", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  const { page } = alice.page;
  await page.getByRole("button", { name: "New group" }).click();
  await page.getByLabel("Title").fill("Signal towers");
  await page.getByLabel("Members (user names)").fill(`${bob.name} nobody-of-this-name`);
  await page.getByRole("button", { name: "Create" }).click();
  await page.locator(".field", { hasText: "There is nobody called nobody-of-this-name." }).waitFor();
  await keepPicture(alice.page, "dialog-light");
  await page.getByLabel("Members (user names)").fill(bob.name);
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { level: 2, name: "Signal towers" }).waitFor();
  await alice.page.say("to the group");
  await bob.page.openChat("Signal towers");
  await bob.page.sees("to the group");
  await alice.page.tick("to the group", "read");
  await bob.page.page.getByText(`${alice.name} created the group and added ${bob.name}`).waitFor();
  await bob.page.page.getByRole("button", { name: "Members" }).click();
  await keepPicture(bob.page, "members-light");
  await bob.page.page.getByRole("button", { name: "Leave" }).click();
  await page.locator(".system", { hasText: `${bob.name} left` }).waitFor();
  await bob.page.page.getByText("You are no longer a member of this group.").waitFor();
  expect(await bob.page.page.getByRole("textbox", { name: "Message" }).isVisible()).toBe(false);
});

test("a refused message says why, and goes out when it is tried again", async () => {
  const alice = await enterAs("alice");
  const bob = await enterAs("bob");
  const { page } = alice.page;
  await page.getByRole("button", { name: "New group" }).click();
  await page.getByLabel("Title").fill("Night watch");
  await page.getByLabel("Members (user names)").fill(bob.name);
  await page.getByRole("button", { name: "Create" }).click();
  await alice.page.say("all is well");
  await bob.page.openChat("Night watch");
  await bob.page.sees("all is well");
  await page.getByRole("button", { name: "Members" }).click();
  await page.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("button", { name: "Close" }).click();
  await page.locator(".system", { hasText: `${alice.name} removed ${bob.name}` }).waitFor();
  await bob.page.say("was I heard?");
  await bob.page.page.getByText("Not sent: You are not a member of this conversation.").waitFor();
  await keepPicture(bob.page, "refused-light");
  await page.getByRole("button", { name: "Members" }).click();
  await page.getByLabel("Add (user names)").fill(bob.name);
  await page.getByRole("button", { name: "Add" }).click();
  await bob.page.page.locator(".system", { hasText: `${alice.name} added ${bob.name}` }).waitFor();
  await bob.page.page.getByRole("button", { name: "Try again" }).click();
  await alice.page.sees("was I heard?");
  await bob.page.tick("was I heard?", "read");
  expect(await bob.page.page.getByText("Not sent").count()).toBe(0);
});

test("what is wrong with a name or a password is told in words, next to its field", async () => {
  const { name } = await enterAs("alice");
  const { page } = await world.visit();
  const fieldOf = (label: string) => page.page.locator(".field", { has: page.page.getByLabel(label, { exact: true }) });
  const nameField = fieldOf("Name");
  const passwordField = fieldOf("Password");
  const fill = async (user: string, password: string, button: string): Promise<void> => {
    await nameField.getByRole("textbox").fill(user);
    await passwordField.getByLabel("Password").fill(password);
    await page.page.getByRole("button", { name: button }).click();
  };
  await fill(name, "not the password", "Sign in");
  await passwordField.getByText("The name or the password is wrong.").waitFor();
  await fill(name, "long enough", "Create an account");
  await nameField.getByText("This name is taken.").waitFor();
  await fill("A Name!", "short", "Create an account");
  await nameField.getByText("2 to 32 characters").waitFor();
  await passwordField.getByText("8 to 256 characters").waitFor();
  await keepPicture(page, "sign-in-light");
});

test("in development a demo account is one click away, with a talk to read", async () => {
  await createDemoData(world.serverUrl());
  const { page } = await world.visit();
  const [first, second] = demoAccounts.names;
  // One sign-in at a time: a second one would leave the first one's connection behind.
  const isOtherOff = await page.page.locator(".demo").evaluate((row, name) => {
    const buttons = [...row.querySelectorAll("button")];
    buttons.find(({ textContent }) => textContent === name)!.click();
    return buttons.every(({ disabled }) => disabled);
  }, second!);
  expect(isOtherOff).toBe(true);
  await page.openChat(demoAccounts.group);
  await page.sees("Loud and clear, every arm of it.");
  await page.item(`${first[0]!.toUpperCase()}${first.slice(1)}`).waitFor();
  await keepPicture(page, "demo-light");
  await page.page.getByRole("button", { name: "Sign out" }).click();
  await page.page.getByRole("button", { name: "Sign in" }).waitFor();
});
