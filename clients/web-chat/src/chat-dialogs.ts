import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { MemberRole } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import type { ChatModel } from "./chat-model.ts";
import type { ConversationState } from "./conversation-state.ts";
import { openDialog } from "./dialog.ts";
import { el } from "./dom.ts";
import { errorText } from "./error-text.ts";
import { FieldError } from "./form-fields.ts";
import type { Person } from "./people.ts";

const maxNameLength = 64;
const maxTitleLength = 100;
/** Names of one line: so many that a form is still the right place. */
const maxNamesLength = 2_000;

/** The users named in a field; rejects with a FieldError when somebody is not known. */
async function findAll(model: ChatModel, field: string, text: string): Promise<readonly Person[]> {
  const names = [...new Set(text.split(/[\s,;]+/).filter((name) => name !== ""))];
  const found = await model.people.byName(names);
  const known = new Set(found.map(({ name }) => name));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) throw new FieldError(field, `There is nobody called ${unknown.join(", ")}.`);
  return found;
}

/** Asks for a name and opens the conversation with that user. */
export function openNewChat(model: ChatModel): void {
  openDialog({
    title: "New conversation",
    fields: [{ name: "name", label: "With (user name)", maxLength: maxNameLength }],
    action: "Open",
    async onSubmit(values) {
      const [person] = await findAll(model, "name", values.get("name")!);
      // Not awaited: the dialog must be gone, and its focus given back, before the composer takes the focus.
      if (person !== undefined) void model.select(person.directConversationId);
    },
  });
}

/** Asks for a title and members and makes the group. */
export function openNewGroup(model: ChatModel): void {
  openDialog({
    title: "New group",
    fields: [
      { name: "title", label: "Title", maxLength: maxTitleLength },
      { name: "members", label: "Members (user names)", maxLength: maxNamesLength },
    ],
    action: "Create",
    async onSubmit(values) {
      const members = await findAll(model, "members", values.get("members")!);
      const others = members.map(({ userId }) => userId).filter((id) => id !== model.client.userId);
      await model.createGroup(values.get("title")!, others);
    },
  });
}

/** Lists a group's members, adds and removes them, and leaves. */
export async function openMembers(model: ChatModel, conversation: ConversationState): Promise<void> {
  const groups = model.client.call(GroupService);
  const { id: conversationId } = conversation;
  const list = el("ul", { class: "member-list" });
  const problem = el("p", { class: "error", role: "alert" });
  const remove = async (userId: bigint): Promise<void> => {
    try {
      await groups.removeMembers({ conversationId, userIds: [userId] });
      if (userId === model.client.userId) {
        model.markLeft(conversation);
        dialog.close();
      } else await show();
    } catch (error) {
      problem.textContent = errorText(error);
    }
  };
  const show = async (): Promise<void> => {
    try {
      const { members } = await groups.listMembers({ conversationId });
      await model.people.learn(members.map(({ userId }) => userId));
      const own = members.find(({ userId }) => userId === model.client.userId);
      const rows = members.map(({ userId, role }) => {
        const self = userId === model.client.userId;
        const may = role !== MemberRole.OWNER && (self || (own?.role ?? 0) >= MemberRole.ADMIN);
        const act = { type: "button" as const, onClick: () => void remove(userId) };
        const button = may ? el("button", act, self ? "Leave" : "Remove") : undefined;
        const note = role === MemberRole.OWNER ? " (owner)" : "";
        return el("li", {}, el("span", {}, `${model.people.nameOf(userId)}${note}`), button);
      });
      list.replaceChildren(...rows);
    } catch (error) {
      problem.textContent = errorText(error);
    }
  };
  const dialog = openDialog({
    title: "Members",
    content: el("div", {}, list, problem),
    fields: [{ name: "names", label: "Add (user names)", maxLength: maxNamesLength }],
    action: "Add",
    async onSubmit(values) {
      const people = await findAll(model, "names", values.get("names")!);
      await groups.addMembers({ conversationId, userIds: people.map(({ userId }) => userId) });
    },
  });
  await show();
}
