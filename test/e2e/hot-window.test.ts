import { openRedis } from "@chappe/mesh/engines/redis/open-redis.ts";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { redisForTests } from "../engines/kit/engines-for-tests.ts";
import { directId, type HttpUser, messageId, registerUser } from "../support/http-user.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const sendMethod = "chappe.msg.v1.MessageService/Send";
const listMethod = "chappe.msg.v1.HistoryService/ListMessages";

interface Figures {
  readonly writer: { committedMessages: number; window: { answeredCalls: number; droppedRuns: number } };
  readonly reader: { windowMessages: number; storeMessages: number; window: { failedCalls: number } };
}

let redis: Awaited<ReturnType<typeof redisForTests>>;
let server: TestServer;
let alice: HttpUser;
let bob: HttpUser;
let sent = 0;
/** Of them before the server's last start. */
let committedBefore = 0;
const pollMost = { timeout: 10_000 };

beforeAll(async () => {
  // Our own, since it is killed.
  redis = await redisForTests(1, {});
  server = await startTestServer([], { CHAPPE_HOT_WINDOW_ADDRESSES: redis.at.join() });
  [alice, bob] = [await registerUser(server.url, "alice"), await registerUser(server.url, "bob")];
});
afterAll(async () => {
  await server?.close();
  await redis?.close();
});

const figures = (): Figures => server.stats() as unknown as Figures;

/** Sends so many texts and waits until all are committed. */
async function send(count: number): Promise<void> {
  const conversationId = directId(alice, bob);
  for (let i = 0; i < count; i++) {
    const messages = [{ clientMessageId: messageId(), content: { text: { text: `text ${++sent}` } } }];
    await alice.call(sendMethod, { conversationId, messages });
  }
  await expect.poll(() => figures().writer.committedMessages, pollMost).toBe(sent - committedBefore);
}

/** Texts of the newest page. */
async function newest(limit: number): Promise<string[]> {
  const body = { conversationId: directId(alice, bob), limit };
  const { messages = [] } = await bob.call<{ messages?: { content: { text: { text: string } } }[] }>(listMethod, body);
  return messages.map(({ content }) => content.text.text);
}

const texts = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, i) => `text ${first + i}`);

/** Sends until the window serves all of a page of three. */
async function untilServed(): Promise<void> {
  await expect
    .poll(
      async () => {
        await send(3);
        const before = figures().reader.storeMessages;
        expect(await newest(3)).toEqual(texts(sent - 2, sent));
        return figures().reader.storeMessages - before;
      },
      { timeout: 20_000, interval: 200 },
    )
    .toBe(0);
}

beforeEach(untilServed);

it("the window serves the newest messages, without the store", async () => {
  await send(20);
  const before = figures().reader;
  expect(await newest(20)).toEqual(texts(sent - 19, sent));
  const { windowMessages, storeMessages } = figures().reader;
  expect(storeMessages).toBe(before.storeMessages);
  expect(windowMessages).toBe(before.windowMessages + 20);
});

it("a server that starts again finds the window of its data, and one of other data does not", async () => {
  const node = redis.own!.nodes[0]!;
  const client = openRedis([`127.0.0.1:${node.port}`]);
  const windows = async (): Promise<number> => (await client.keys("chappe:window:*")).length;
  const before = await windows();
  await server.restart();
  committedBefore = sent;
  await untilServed();
  expect(await windows()).toBe(before);
  const other = await startTestServer([], { CHAPPE_HOT_WINDOW_ADDRESSES: redis.at.join() });
  try {
    const [carol, dave] = [await registerUser(other.url, "carol"), await registerUser(other.url, "dave")];
    const messages = [{ clientMessageId: messageId(), content: { text: { text: "elsewhere" } } }];
    await expect
      .poll(async () => {
        await carol.call(sendMethod, { conversationId: directId(carol, dave), messages });
        const ids = (await client.keys("chappe:window:*")).map((key) => key.split(":")[2]);
        return new Set(ids).size;
      }, pollMost)
      .toBe(2);
  } finally {
    client.disconnect();
    await other.close();
  }
});

it("commits go on while Redis stands still, and reads too; then the window starts anew", async () => {
  const node = redis.own!.nodes[0]!;
  const dropped = figures().writer.window.droppedRuns;
  await node.kill("SIGSTOP");
  try {
    await send(60);
    expect(await newest(60)).toEqual(texts(sent - 59, sent));
    expect(figures().reader.window.failedCalls).toBeGreaterThan(0);
    await expect.poll(() => figures().writer.window.droppedRuns, { timeout: 10_000 }).toBeGreaterThan(dropped);
  } finally {
    await node.kill("SIGCONT");
  }
  await untilServed();
  expect(await newest(200)).toEqual(texts(Math.max(1, sent - 199), sent));
});

it("commits and reads go on while Redis is gone, and after it came back empty", async () => {
  const node = redis.own!.nodes[0]!;
  await node.kill("SIGKILL");
  await send(20);
  expect(await newest(30)).toEqual(texts(sent - 29, sent));
  await node.restart();
  await untilServed();
  expect(await newest(200)).toEqual(texts(Math.max(1, sent - 199), sent));
});
