import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { type ChappeClient, ChappeClientError, conversationIdToString, directUsers } from "@chappe/sdk/src/index.ts";
import type { NameOf } from "./message-line.ts";

/** A user, found by account name. */
export interface Person {
  readonly userId: bigint;
  readonly name: string;
  readonly directConversationId: Uint8Array;
}

/** Most users of one question; the contract's bound. */
const maxUsersPerCall = 200;
/** Names and titles that are remembered; over it all are asked for again. */
const maxRemembered = 5_000;
const groupsPageSize = 500;

/** Names of users and titles of groups, asked for once. */
export class AddressBook {
  readonly #client: ChappeClient;
  readonly #names = new Map<bigint, string>();
  readonly #titles = new Map<string, string>();

  constructor(client: ChappeClient) {
    this.#client = client;
  }

  /** The account names of users; those that cannot be had now are called by their number. */
  async names(userIds: readonly bigint[]): Promise<NameOf> {
    if (this.#names.size > maxRemembered) this.#names.clear();
    const unknown = [...new Set(userIds)].filter((id) => !this.#names.has(id));
    for (let from = 0; from < unknown.length; from += maxUsersPerCall) {
      const ids = unknown.slice(from, from + maxUsersPerCall);
      try {
        const { users } = await this.#client.call(UserService).getUsers({ userIds: ids });
        for (const { userId, name } of users) this.#names.set(userId, name);
      } catch {
        // Offline: asked again with the next message.
        break;
      }
    }
    return (userId) => this.#names.get(userId) ?? `user ${userId}`;
  }

  /** Users by account name. Rejects with NOT_FOUND, naming those that there are not. */
  async find(names: readonly string[]): Promise<readonly Person[]> {
    const { users } = await this.#client.call(UserService).getUsers({ names: [...names] });
    const missing = names.filter((name) => users.every((user) => user.name !== name));
    if (missing.length > 0) throw new ChappeClientError("NOT_FOUND", `there is nobody called ${missing.join(", ")}`);
    for (const { userId, name } of users) this.#names.set(userId, name);
    return users;
  }

  /** The other user's name, or the title of the group. */
  async titleOf(conversationId: Uint8Array): Promise<string> {
    const users = directUsers(conversationId);
    if (users !== undefined) {
      const peerId = users.find((id) => id !== this.#client.userId) ?? this.#client.userId;
      return (await this.names([peerId]))(peerId);
    }
    const key = conversationIdToString(conversationId);
    if (!this.#titles.has(key)) await this.#loadTitles().catch(() => undefined);
    return this.#titles.get(key) ?? `group ${key.slice(0, 8)}`;
  }

  /** Remembers a group that was just made. */
  setTitle(conversationId: Uint8Array, title: string): void {
    this.#titles.set(conversationIdToString(conversationId), title);
  }

  async #loadTitles(): Promise<void> {
    if (this.#titles.size > maxRemembered) this.#titles.clear();
    const groups = this.#client.call(GroupService);
    let pageToken = "";
    do {
      const page = await groups.listGroups({ pageSize: groupsPageSize, pageToken });
      for (const { conversationId, title } of page.groups) this.setTitle(conversationId, title);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }
}
