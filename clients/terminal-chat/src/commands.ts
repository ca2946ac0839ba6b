import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { type ChappeClient, ChappeClientError, isGroupConversation } from "@chappe/sdk/src/index.ts";
import type { Chat, OpenConversation, RunCommand } from "./chat.ts";
import { type ConversationEntry, listConversations } from "./list-conversations.ts";

type Command = (chat: Chat, words: readonly string[]) => Promise<void>;

const defaultHistory = 20;
/** Most messages of one page; the contract's bound. */
const maxHistory = 200;

const help = `/list              conversations, with what is unread
/open NAME         talk with a user, or in a group; a number of /list does too
/history [N]       the last N messages of the open conversation (${defaultHistory}; at most ${maxHistory})
/group TITLE NAME  make a group with these users and open it ("two words" for a title of several)
/members           who is in the open group
/add NAME          add users to the open group
/remove NAME       remove users from the open group; your own name leaves it
/invisible [off]   others do not see you online; "off" ends it
/help              this
/quit              the end
Anything else is a message; begin it with // when it begins with a slash.`;

const refuse = (text: string): never => {
  throw new ChappeClientError("INVALID_ARGUMENT", text);
};

const groupsOf = (client: ChappeClient) => client.call(GroupService);

function openConversation({ current }: Chat): OpenConversation {
  return current ?? refuse("no conversation is open: /open NAME");
}

function openGroup(chat: Chat): OpenConversation {
  const conversation = openConversation(chat);
  return isGroupConversation(conversation.id) ? conversation : refuse("the open conversation is no group");
}

async function list(chat: Chat): Promise<void> {
  const entries = await listConversations(chat.client, chat.book);
  if (entries.length === 0) return chat.print("no conversations yet: /open NAME begins one");
  entries.forEach(({ title, unread }, index) => {
    chat.print(`${index + 1}. ${title}${unread === 0 ? "" : ` (${unread} unread)`}`);
  });
}

async function findConversation(chat: Chat, wanted: string): Promise<OpenConversation & Partial<ConversationEntry>> {
  const entries = await listConversations(chat.client, chat.book);
  const named = entries.filter(({ title }) => title.toLowerCase() === wanted.toLowerCase());
  if (named.length > 1) refuse(`${named.length} conversations are called ${wanted}: open one by its number in /list`);
  const entry = named[0] ?? (/^\d+$/.test(wanted) ? entries[Number(wanted) - 1] : undefined);
  if (entry !== undefined) return entry;
  const [person] = await chat.book.find([wanted]);
  return { id: person!.directConversationId, title: person!.name };
}

/** Opens it and prints what is unread, or else where it left off. */
async function open(chat: Chat, words: readonly string[]): Promise<void> {
  if (words.length === 0) refuse("/open NAME");
  const { id, title, headSeq = 0, unread = 0 } = await findConversation(chat, words.join(" "));
  chat.enter({ id, title });
  if (headSeq === 0) return chat.print(`* ${title}: nothing was said yet`);
  const limit = Math.min(Math.max(unread, defaultHistory), maxHistory);
  const messages = await chat.client.conversation(id).history({ limit });
  const hidden = unread - messages.length;
  chat.print(
    `* ${title}${unread === 0 ? "" : `: ${unread} unread`}${hidden > 0 ? `, the last ${maxHistory} of them` : ""}`,
  );
  await chat.show(messages);
}

async function history(chat: Chat, [count = String(defaultHistory)]: readonly string[]): Promise<void> {
  const { id } = openConversation(chat);
  const limit = Number(count);
  if (!Number.isInteger(limit) || limit < 1 || limit > maxHistory) refuse(`/history takes 1 to ${maxHistory}`);
  await chat.show(await chat.client.conversation(id).history({ limit }));
}

async function group(chat: Chat, [title = "", ...names]: readonly string[]): Promise<void> {
  if (title === "" || names.length === 0) refuse("/group TITLE NAME NAME ...");
  const people = await chat.book.find(names);
  const memberIds = people.map(({ userId }) => userId).filter((id) => id !== chat.client.userId);
  const { group: made } = await groupsOf(chat.client).createGroup({ title, memberIds });
  const id = Uint8Array.from(made!.conversationId);
  chat.book.setTitle(id, title);
  chat.enter({ id, title });
  chat.print(`* ${title}: made, and open`);
}

async function members(chat: Chat): Promise<void> {
  const { id: conversationId } = openGroup(chat);
  const page = await groupsOf(chat.client).listMembers({ conversationId });
  const nameOf = await chat.book.names(page.members.map(({ userId }) => userId));
  const more = page.nextPageToken === "" ? "" : " and more";
  const names = page.members.map(({ userId }) => nameOf(userId)).sort();
  chat.print(`members: ${names.join(", ")}${more}`);
}

async function showHelp(chat: Chat): Promise<void> {
  for (const line of help.split("\n")) chat.print(line);
}

async function invisible(chat: Chat, [word]: readonly string[]): Promise<void> {
  if (word !== undefined && word !== "off") refuse("/invisible, or /invisible off");
  await chat.client.setInvisible(word === undefined);
  chat.print(`* others ${word === undefined ? "do not see" : "see"} that you are online`);
}

const change =
  (name: "addMembers" | "removeMembers", usage: string): Command =>
  async (chat, words) => {
    const { id: conversationId } = openGroup(chat);
    if (words.length === 0) refuse(usage);
    const people = await chat.book.find(words);
    const { seq } = await groupsOf(chat.client)[name]({ conversationId, userIds: people.map(({ userId }) => userId) });
    if (seq === 0n) chat.print("* nothing changed");
  };

const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["list", list],
  ["open", open],
  ["history", history],
  ["group", group],
  ["members", members],
  ["add", change("addMembers", "/add NAME ...")],
  ["remove", change("removeMembers", "/remove NAME ...")],
  ["invisible", invisible],
  ["help", showHelp],
]);

/** Runs what follows a slash. */
export const runCommand: RunCommand = async (chat, name, words) => {
  if (name === "quit") return "quit";
  const command = commands.get(name) ?? refuse(`there is no /${name}: see /help`);
  await command(chat, words);
  return undefined;
};
