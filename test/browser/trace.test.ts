import { afterAll, expect, test, vi } from "vitest";
import { namesOf, treeOfClients } from "../support/message-trees.ts";
import { type OtlpReceiver, startOtlpReceiver, treeOf } from "../support/otlp-receiver.ts";
import { createChatWorld } from "./chat-world.ts";

let receiver: OtlpReceiver;
const world = createChatWorld(async () => {
  receiver = await startOtlpReceiver();
  return { CHAPPE_OTLP_URL: receiver.url, CHAPPE_TRACE_RATE: "1" };
});
afterAll(() => receiver.close());

test("a message from browser to browser is one trace, from the click to the acknowledgement", async () => {
  const alice = await world.enterAs("alice");
  const bob = await world.enterAs("bob");
  await alice.page.startChat(bob.name);
  await alice.page.say("Is the line up?");
  await alice.page.tick("Is the line up?", "delivered");
  const sent = await vi.waitUntil(() => receiver.spans.find(({ name }) => name === "client send"), 10_000);
  const tree = treeOfClients(false);
  expect(treeOf(await receiver.waitFor(sent.traceId, namesOf(tree)))).toEqual(tree);
});
