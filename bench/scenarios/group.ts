import { type Account, callHttp, registerAccounts } from "../support/accounts.ts";
import { type BenchFigures, type BenchOptions, loadOverheadMs } from "./bench-options.ts";
import { withBenchServer } from "./bench-server.ts";
import { runGenerator } from "./run-generator.ts";
import { trafficFigures } from "./traffic-figures.ts";

const defaultMembers = 1_000;
const defaultWindow = 4;
/** Members of one call of CreateGroup or AddMembers. */
const maxMembersPerCall = 1_000;

/** Makes a group of all accounts, the first as owner; answers its id in hex and its head. */
async function createGroup(port: number, accounts: readonly Account[]): Promise<{ id: string; headSeq: number }> {
  const token = accounts[0]!.token;
  const memberIds = accounts.slice(1).map((account) => account.userId);
  const service = "chappe.business.v1.GroupService";
  const body = { title: "audience", memberIds: memberIds.slice(0, maxMembersPerCall) };
  const created = (await callHttp(port, `${service}/CreateGroup`, body, { token })) as CreateGroupAnswer;
  const { conversationId } = created.group;
  let headSeq = 1;
  for (let at = maxMembersPerCall; at < memberIds.length; at += maxMembersPerCall) {
    const more = { conversationId, userIds: memberIds.slice(at, at + maxMembersPerCall) };
    const added = (await callHttp(port, `${service}/AddMembers`, more, { token })) as { seq: string };
    headSeq = Number(added.seq);
  }
  return { id: Buffer.from(conversationId, "base64").toString("hex"), headSeq };
}

interface CreateGroupAnswer {
  readonly group: { readonly conversationId: string };
}

/** One sender, 1,000 members online, 100-byte texts. */
export function benchGroup(options: BenchOptions): Promise<BenchFigures> {
  return withBenchServer(options.serverArgs, async ({ port, pid: serverPid }) => {
    const window = options.window || defaultWindow;
    const accounts = await registerAccounts({ port, count: 1 + (options.size || defaultMembers) });
    const { id: conversationId, headSeq } = await createGroup(port, accounts);
    const { rate, textBytes } = options;
    const times = { warmupMs: options.warmupSeconds * 1_000, measureMs: options.seconds * 1_000 };
    const group = { conversationId, headSeq, window, rate, textBytes };
    const config = { scenario: "group", port, serverPid, accounts, ...group, ...times } as const;
    const answer = await runGenerator(config, times.warmupMs + times.measureMs + loadOverheadMs);
    return trafficFigures("group", window, rate, answer);
  });
}
