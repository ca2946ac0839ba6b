import { type Account, callHttp, registerAccounts } from "@chappe/bench/support/accounts.ts";
import { directConversationId } from "@chappe/mesh/ids/conversation-id.ts";
import type { SeededRandom } from "../history/seeded-random.ts";
import type { HistoryRecorder } from "./history-recorder.ts";

const groupService = "chappe.business.v1.GroupService";
const callRetryMs = 250;
const callAttempts = 60;

/** A group whose members change while the load runs. */
export interface GroupPlan {
  readonly conversation: string;
  readonly owner: Account;
  /** Joins later. */
  readonly joiner: Account;
  /** Leaves later. */
  readonly leaver: Account;
}

/** Users and conversations of a run. */
export interface World {
  readonly accounts: readonly Account[];
  /** Conversations that a user may send to now, by user id. */
  readonly sendTo: ReadonlyMap<string, string[]>;
  /** Users that ever could read a conversation. */
  readonly readers: ReadonlyMap<string, Set<string>>;
  readonly groups: readonly GroupPlan[];
}

/** Size of a world. */
export interface WorldOptions {
  readonly port: number;
  readonly random: SeededRandom;
  readonly recorder: HistoryRecorder;
  readonly users: number;
  readonly groups: number;
  readonly membersPerGroup: number;
}

function shuffled<T>(items: readonly T[], random: SeededRandom): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}

/** Registers users, pairs them up for direct conversations and makes groups, each with room for one more member. */
export async function createWorld(options: WorldOptions): Promise<World> {
  const { port, random, recorder } = options;
  const accounts = await registerAccounts({ port, count: options.users });
  const sendTo = new Map(accounts.map(({ userId }) => [userId, [] as string[]]));
  const readers = new Map<string, Set<string>>();
  const join = (conversation: string, members: readonly Account[], onLog: boolean): void => {
    readers.set(conversation, new Set(members.map(({ userId }) => userId)));
    for (const { userId } of members) {
      sendTo.get(userId)!.push(conversation);
      recorder.record({ kind: "joined", user: userId, conversation, seq: 1, onLog });
    }
  };
  for (let i = 0; i + 1 < accounts.length; i += 2) {
    const pair = accounts.slice(i, i + 2);
    const id = directConversationId(BigInt(pair[0]!.userId), BigInt(pair[1]!.userId));
    join(Buffer.from(id).toString("hex"), pair, false);
  }
  const groups: GroupPlan[] = [];
  for (let i = 0; i < options.groups; i++) {
    const [owner, leaver, joiner, ...others] = shuffled(accounts, random);
    const members = [owner!, leaver!, ...others.slice(0, options.membersPerGroup - 3)];
    const body = { title: `group ${i}`, memberIds: members.slice(1).map(({ userId }) => userId) };
    const answer = await callHttp(port, `${groupService}/CreateGroup`, body, { token: owner!.token });
    const { conversationId } = (answer as { group: { conversationId: string } }).group;
    const conversation = Buffer.from(conversationId, "base64").toString("hex");
    join(conversation, members, true);
    groups.push({ conversation, owner: owner!, joiner: joiner!, leaver: leaver! });
  }
  return { accounts, sendTo, readers, groups };
}

/** Calls again until the server, which may be down just now, has answered. */
async function callPatiently(port: number, method: string, body: unknown, token: string): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await callHttp(port, method, body, { token });
    } catch (error) {
      if (attempt === callAttempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, callRetryMs));
    }
  }
}

const base64Of = (conversation: string): string => Buffer.from(conversation, "hex").toString("base64");

/** Adds the joiner of a group; returns when the server has said so. */
export async function addJoiner(port: number, world: World, { owner, joiner, conversation }: GroupPlan): Promise<void> {
  const body = { conversationId: base64Of(conversation), userIds: [joiner.userId] };
  // Before the call: a joiner whose call was cut off may read already.
  world.readers.get(conversation)!.add(joiner.userId);
  await callPatiently(port, `${groupService}/AddMembers`, body, owner.token);
  world.sendTo.get(joiner.userId)!.push(conversation);
}

/** Removes the leaver of a group, who goes on sending until the server has said so. */
export async function removeLeaver(
  port: number,
  world: World,
  { owner, leaver, conversation }: GroupPlan,
): Promise<void> {
  const body = { conversationId: base64Of(conversation), userIds: [leaver.userId] };
  await callPatiently(port, `${groupService}/RemoveMembers`, body, owner.token);
  const list = world.sendTo.get(leaver.userId)!;
  list.splice(list.indexOf(conversation), 1);
}
