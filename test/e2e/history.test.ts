import { SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { HistoryService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { openRedis } from "@chappe/mesh/engines/redis/open-redis.ts";
import { createRedisHotWindow } from "@chappe/mesh/engines/redis-hot-window/redis-hot-window.ts";
import { createSqliteMessageStore } from "@chappe/mesh/engines/sqlite-message-store/create-sqlite-message-store.ts";
import { directConversationId, newGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import type { MemberRow, MessageStore } from "@chappe/mesh/ports/message-store.ts";
import {
  type ChappeClient,
  type Conversation,
  connect,
  type ReceivedMessage,
  register,
  type Tokens,
} from "@chappe/sdk/src/index.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { redisForTests } from "../engines/kit/engines-for-tests.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { textRun } from "../support/text-run.ts";

const longMessages = 50_000;
const conversations = 20_000;
const commitMessages = 1_000;
const pageMessages = 200;
const rangesPerCall = 64;
const startMs = 1_750_000_000_000;
/** Three messages share each time. */
const timeOf = (seq: number): number => startMs + Math.floor(seq / 3) * 1_000;
/** What one who came late and left early may read. */
const guest = { joinSeq: 20_001, leaveSeq: 30_001 };

const long = newGroupId();
const ahead = newGroupId();
let redis: Awaited<ReturnType<typeof redisForTests>>;
let server: TestServer;
let alice: ChappeClient;
let bob: ChappeClient;

const join = (name: string): Promise<Tokens> => register({ url: server.url, name, password: "correct horse" });
const open = ({ accessToken: token }: Tokens): Promise<ChappeClient> =>
  connect({ url: server.url, token, backlog: "none" });

const upTo = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const seqsOf = (messages: readonly ReceivedMessage[]): number[] => messages.map(({ seq }) => seq);

async function fill(store: MessageStore, aliceId: bigint, bobId: bigint): Promise<void> {
  const member = (conversationId: Uint8Array, userId: bigint, joinSeq = 1, leaveSeq = 0): MemberRow => ({
    ...{ conversationId, userId, role: leaveSeq > 0 ? 0 : 1, joinSeq, leaveSeq },
  });
  const commit = (runs: ReturnType<typeof textRun>[], members: MemberRow[] = []): Promise<void> =>
    store.commit({ progress: [], sends: [], runs, members });
  await commit([], [member(long, aliceId), member(long, bobId, guest.joinSeq, guest.leaveSeq), member(ahead, aliceId)]);
  await commit([textRun(ahead, 1, 10, timeOf)]);
  for (let seq = 1; seq <= longMessages; seq += commitMessages)
    await commit([textRun(long, seq, commitMessages, timeOf)]);
  for (let n = 0; n < conversations; n += commitMessages) {
    const ids = upTo(n, n + commitMessages - 1).map((i) => directConversationId(aliceId, BigInt(1_000_000 + i)));
    await commit(
      ids.map((id) => textRun(id, 1, 2, timeOf)),
      ids.map((id) => member(id, aliceId)),
    );
  }
}

beforeAll(async () => {
  redis = await redisForTests(1);
  server = await startTestServer([], { CHAPPE_HOT_WINDOW_ADDRESSES: redis.at.join() });
  const [ofAlice, ofBob] = [await join("alice"), await join("bob")];
  await server.restart(async () => {
    const onFailed = (error: Error): void => {
      throw error;
    };
    const store = await createSqliteMessageStore({ directory: server.dataDirectory, onFailed });
    await fill(store, ofAlice.userId, ofBob.userId);
    await store.close();
  });
  [alice, bob] = [await open(ofAlice), await open(ofBob)];
}, 120_000);
afterAll(async () => {
  await alice?.close();
  await bob?.close();
  await server?.close();
  await redis?.close();
});

describe(`${longMessages} messages in one conversation`, () => {
  const view = (client = alice): Conversation => client.conversation(long);

  it("are read forward page by page, each once", async () => {
    const seen: number[] = [];
    for (let after = 0; after < longMessages; after = seen.at(-1)!)
      seen.push(...seqsOf(await view().history({ after, limit: pageMessages })));
    expect(seen).toEqual(upTo(1, longMessages));
    expect(await view().history({ after: longMessages })).toEqual([]);
  });

  it("are read backward page by page, each once, whole as they were", async () => {
    const seen: number[] = [];
    for (let before = longMessages + 1; before > 1; before = seen[0]!) {
      const page = await view().history({ before, limit: pageMessages });
      expect(page.at(-1)!.text).toBe(`message ${before - 1}`);
      seen.unshift(...seqsOf(page));
    }
    expect(seen).toEqual(upTo(1, longMessages));
  });

  it.each([1, 2, 3, 4, 299, 300, 33_333, 49_998, 50_000])(
    "by the time of message %d: from the first of that time on",
    async (seq) => {
      const first = upTo(Math.max(1, seq - 3), seq).find((one) => timeOf(one) === timeOf(seq))!;
      const page = seqsOf(await view().history({ since: new Date(timeOf(seq)), limit: 5 }));
      expect(page).toEqual(upTo(first, Math.min(first + 4, longMessages)));
      const later = seqsOf(await view().history({ since: new Date(timeOf(seq) - 1), limit: 1 }));
      expect(later).toEqual([first]);
    },
  );

  it("by a time before all, and after all", async () => {
    expect(seqsOf(await view().history({ since: new Date(0), limit: 3 }))).toEqual([1, 2, 3]);
    expect(await view().history({ since: new Date(timeOf(longMessages) + 1) })).toEqual([]);
  });

  it("around a message: half before it, the others from it on; fewer at the ends", async () => {
    const around = async (seq: number, limit: number): Promise<number[]> =>
      seqsOf(await view().history({ around: seq, limit }));
    expect(await around(25_000, 10)).toEqual(upTo(24_995, 25_004));
    expect(await around(25_000, 5)).toEqual(upTo(24_998, 25_002));
    expect(await around(25_000, 1)).toEqual([25_000]);
    expect(await around(25_000, 200)).toEqual(upTo(24_900, 25_099));
    expect(await around(1, 10)).toEqual(upTo(1, 5));
    expect(await around(3, 10)).toEqual(upTo(1, 7));
    expect(await around(longMessages, 10)).toEqual(upTo(longMessages - 5, longMessages));
    await expect(around(longMessages + 1, 10)).rejects.toMatchObject({ name: "NOT_YET", retryable: true });
  });

  it("are clamped to what a member may read, whichever way they are asked for", async () => {
    const { joinSeq, leaveSeq } = guest;
    const own = view(bob);
    expect(seqsOf(await own.history({ limit: 3 }))).toEqual(upTo(leaveSeq - 3, leaveSeq - 1));
    expect(seqsOf(await own.history({ since: new Date(startMs), limit: 3 }))).toEqual(upTo(joinSeq, joinSeq + 2));
    expect(await own.history({ since: new Date(timeOf(leaveSeq + 10)) })).toEqual([]);
    expect(seqsOf(await own.history({ around: joinSeq + 1, limit: 10 }))).toEqual(upTo(joinSeq, joinSeq + 5));
    expect(seqsOf(await own.history({ around: 5, limit: 10 }))).toEqual(upTo(joinSeq, joinSeq + 4));
    expect(seqsOf(await own.history({ around: leaveSeq - 1, limit: 4 }))).toEqual(upTo(leaveSeq - 3, leaveSeq - 1));
    await expect(own.history({ around: leaveSeq })).rejects.toMatchObject({ name: "NOT_YET" });
    await expect(bob.conversation(ahead).history({ around: 1 })).rejects.toMatchObject({ name: "NOT_A_MEMBER" });
    await expect(bob.conversation(ahead).history({ since: new Date() })).rejects.toMatchObject({
      name: "NOT_A_MEMBER",
    });
  });

  it("two places at once, or a time out of all bounds, are refused by the field's name", async () => {
    const history = alice.call(HistoryService);
    const places = { fromSeq: 1n, beforeSeq: 9n, fromTimeMs: 1n, aroundSeq: 5n };
    const fields = {
      fromSeq: "from_seq",
      beforeSeq: "before_seq",
      fromTimeMs: "from_time_ms",
      aroundSeq: "around_seq",
    };
    const names = Object.keys(places) as (keyof typeof places)[];
    for (const [i, a] of names.entries()) {
      for (const b of names.slice(i + 1)) {
        const request = { conversationId: long, [a]: places[a], [b]: places[b] };
        const refused = expect(history.listMessages(request)).rejects;
        await refused.toMatchObject({ message: expect.stringContaining(`${fields[a]} and ${fields[b]}`) });
      }
    }
    await expect(history.listMessages({ conversationId: long, fromTimeMs: 10n ** 15n })).rejects.toThrow(
      "from_time_ms",
    );
  });

  it("go on from there: the newest page is the window's and the store's together", async () => {
    const handles = upTo(1, 5).map((i) => view().send({ text: `more ${i}` }));
    for (const handle of handles) await handle.sequenced;
    const head = longMessages + handles.length;
    await expect.poll(async () => seqsOf(await view().history({ limit: 1 }))).toEqual([head]);
    expect(seqsOf(await view().history({ limit: pageMessages }))).toEqual(upTo(head - pageMessages + 1, head));
    expect(seqsOf(await view().history({ after: longMessages - 2 }))).toEqual(upTo(longMessages - 1, head));
    expect(server.stats().reader).toMatchObject({ holes: 0, window: { failedCalls: 0 } });
    expect((server.stats().reader as { windowMessages: number }).windowMessages).toBeGreaterThan(0);
  });
});

it("a window that is ahead of the commit shows nothing of it", async () => {
  const side = openRedis(redis.at);
  const [key = ""] = await side.keys(`chappe:window:*:{${Buffer.from(long).toString("hex")}}`);
  side.disconnect();
  expect(key).toMatch(/^chappe:window:[0-9a-f]{16}:/);
  const window = createRedisHotWindow({ addresses: redis.at, timeoutMs: 10_000, dataId: key.split(":")[2]! });
  await expect.poll(() => window.append([textRun(ahead, 6, 10, timeOf)]).then(() => true, String)).toBe(true);
  await window.close();
  const view = alice.conversation(ahead);
  expect(seqsOf(await view.history())).toEqual(upTo(1, 10));
  expect(seqsOf(await view.history({ after: 7 }))).toEqual([8, 9, 10]);
  expect(await view.history({ after: 10 })).toEqual([]);
  expect(seqsOf(await view.history({ around: 9, limit: 10 }))).toEqual(upTo(4, 10));
  expect(await view.history({ since: new Date(timeOf(12)) })).toEqual([]);
  await expect(view.history({ after: 11 })).rejects.toMatchObject({ name: "NOT_YET" });
  const ranges = [{ conversationId: ahead, fromSeq: 5n, toSeq: 12n }];
  const { pages } = await alice.call(HistoryService).listRanges({ ranges });
  expect(pages[0]).toMatchObject({ headSeq: 10n });
  expect(pages[0]!.messages.map(({ seq }) => Number(seq))).toEqual(upTo(5, 10));
});

it(`${conversations} conversations: their heads, and then all of their messages, are listed`, async () => {
  const sync = alice.call(SyncService);
  const ids: Uint8Array[] = [];
  let pageToken = "";
  do {
    const page = await sync.listHeads({ pageToken });
    for (const { conversationId, headSeq } of page.heads) if (headSeq === 2n) ids.push(conversationId);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(new Set(ids.map((id) => Buffer.from(id).toString("hex"))).size).toBe(conversations);
  let messages = 0;
  for (let i = 0; i < ids.length; i += rangesPerCall) {
    const ranges = ids.slice(i, i + rangesPerCall).map((conversationId) => ({ conversationId, fromSeq: 1n }));
    const { pages } = await alice.call(HistoryService).listRanges({ ranges });
    for (const page of pages) {
      expect(page.messages.map(({ seq }) => seq)).toEqual([1n, 2n]);
      messages += page.messages.length;
    }
  }
  expect(messages).toBe(2 * conversations);
});
