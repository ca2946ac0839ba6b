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
  /** Place among the kinds of World.sendTo. */
  readonly kind: number;
  readonly owner: Account;
  /** Joins later. */
  readonly joiner: Account;
  /** Leaves later. */
  readonly leaver: Account;
}

/** Users and conversations of a run. */
export interface World {
  /** Those that have clients. */
  readonly accounts: readonly Account[];
  /** Conversations that a user may send to now, by user id and then by kind: direct ones first, then as `groups`. */
  readonly sendTo: ReadonlyMap<string, readonly string[][]>;
  /** Users that ever could read a conversation. */
  readonly readers: ReadonlyMap<string, Set<string>>;
  readonly groups: readonly GroupPlan[];
}

/** Groups of one size. */
export interface GroupKind {
  readonly count: number;
  readonly members: number;
  /** Of all sends, this many in proportion to those of the other kinds. */
  readonly share: number;
}

/** Which conversations a world has. */
export interface WorldShape {
  /** Conversations of two, at least one for every two users. */
  readonly direct: number;
  /** As GroupKind.share. */
  readonly directShare: number;
  readonly groups: readonly GroupKind[];
}

/** Size of a world. */
export interface WorldOptions {
  readonly port: number;
  readonly random: SeededRandom;
  readonly recorder: HistoryRecorder;
  readonly users: number;
  readonly shape: WorldShape;
  /** Accounts without a client, which fill groups that are larger than there are users. */
  readonly silent: readonly Account[];
}

function shuffled<T>(items: readonly T[], random: SeededRandom): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}

/** Pairs of users: each user once, then others, none twice. */
function* pairsOf(accounts: readonly Account[], random: SeededRandom): Generator<[Account, Account]> {
  for (let i = 0; i + 1 < accounts.length; i += 2) yield [accounts[i]!, accounts[i + 1]!];
  const others = accounts.flatMap((a, i) =>
    accounts.slice(i + 1).flatMap((b, j) => (i % 2 === 0 && j === 0 ? [] : [[a, b] as [Account, Account]])),
  );
  yield* shuffled(others, random);
}

const groupsAtOnce = 8;

/** Registers users and makes their conversations, groups with room for one more member each. */
class WorldMaker {
  readonly #options: WorldOptions;
  readonly #accounts: readonly Account[];
  readonly #sendTo: Map<string, string[][]>;
  readonly #readers = new Map<string, Set<string>>();

  constructor(options: WorldOptions, accounts: readonly Account[]) {
    const kinds = 1 + options.shape.groups.length;
    this.#options = options;
    this.#accounts = accounts;
    this.#sendTo = new Map(accounts.map(({ userId }) => [userId, Array.from({ length: kinds }, () => [])]));
  }

  async make(): Promise<World> {
    const { random, shape } = this.#options;
    const pairs = pairsOf(this.#accounts, random);
    for (const pair of pairs.take(shape.direct)) {
      const id = directConversationId(BigInt(pair[0].userId), BigInt(pair[1].userId));
      this.#join(Buffer.from(id).toString("hex"), pair, 0);
    }
    const wanted = shape.groups.flatMap(({ count, members }, kind) =>
      Array.from({ length: count }, () => ({ members, kind: kind + 1, order: shuffled(this.#accounts, random) })),
    );
    const plans: GroupPlan[] = [];
    for (let at = 0; at < wanted.length; at += groupsAtOnce)
      plans.push(...(await Promise.all(wanted.slice(at, at + groupsAtOnce).map((one) => this.#makeGroup(one)))));
    return {
      accounts: this.#accounts,
      sendTo: this.#sendTo,
      readers: this.#readers,
      groups: shuffled(plans, random),
    };
  }

  async #makeGroup(group: { members: number; kind: number; order: readonly Account[] }): Promise<GroupPlan> {
    const { port, silent } = this.#options;
    const [owner, leaver, joiner, ...others] = group.order;
    const rest = [...others, ...silent].slice(0, group.members - 2);
    const memberIds = [leaver!, ...rest].map(({ userId }) => userId);
    const body = { title: `group of ${group.members}`, memberIds };
    const answer = await callHttp(port, `${groupService}/CreateGroup`, body, { token: owner!.token });
    const { conversationId } = (answer as { group: { conversationId: string } }).group;
    const conversation = Buffer.from(conversationId, "base64").toString("hex");
    this.#join(conversation, [owner!, leaver!, ...rest], group.kind);
    return { conversation, kind: group.kind, owner: owner!, joiner: joiner!, leaver: leaver! };
  }

  /** Direct conversations have no system message; accounts without a client see nothing. */
  #join(conversation: string, members: readonly Account[], kind: number): void {
    const users = members.filter(({ userId }) => this.#sendTo.has(userId));
    this.#readers.set(conversation, new Set(users.map(({ userId }) => userId)));
    for (const { userId } of users) {
      this.#sendTo.get(userId)![kind]!.push(conversation);
      this.#options.recorder.record({ kind: "joined", user: userId, conversation, seq: 1, onLog: kind > 0 });
    }
  }
}

/** Registers users and makes their conversations. */
export async function createWorld(options: WorldOptions): Promise<World> {
  const accounts = await registerAccounts({ port: options.port, count: options.users });
  return new WorldMaker(options, accounts).make();
}

/** A conversation for the next send of a user: first its kind by the shares, then any of it. */
export function pickTarget({ sendTo }: World, shape: WorldShape, user: string, random: SeededRandom): string {
  const lists = sendTo.get(user)!;
  const shares = [shape.directShare, ...shape.groups.map(({ share }) => share)];
  const total = shares.reduce((sum, share, kind) => sum + (lists[kind]!.length > 0 ? share : 0), 0);
  let at = random.next() * total;
  const kind = shares.findIndex((share, index) => {
    if (lists[index]!.length > 0) at -= share;
    return at < 0;
  });
  return random.pick(lists[kind]!);
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
export async function addJoiner(port: number, world: World, plan: GroupPlan): Promise<void> {
  const { owner, joiner, conversation, kind } = plan;
  const body = { conversationId: base64Of(conversation), userIds: [joiner.userId] };
  // Before the call: a joiner whose call was cut off may read already.
  world.readers.get(conversation)!.add(joiner.userId);
  await callPatiently(port, `${groupService}/AddMembers`, body, owner.token);
  world.sendTo.get(joiner.userId)![kind]!.push(conversation);
}

/** Removes the leaver of a group, who goes on sending until the server has said so. */
export async function removeLeaver(
  port: number,
  world: World,
  { owner, leaver, conversation, kind }: GroupPlan,
): Promise<void> {
  const body = { conversationId: base64Of(conversation), userIds: [leaver.userId] };
  await callPatiently(port, `${groupService}/RemoveMembers`, body, owner.token);
  const list = world.sendTo.get(leaver.userId)![kind]!;
  list.splice(list.indexOf(conversation), 1);
}
