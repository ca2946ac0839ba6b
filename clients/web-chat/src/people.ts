import { UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import type { ChappeClient } from "@chappe/sdk/src/index.ts";

/** A user as the page shows them. */
export interface Person {
  readonly userId: bigint;
  readonly name: string;
  readonly displayName: string;
  readonly directConversationId: Uint8Array;
}

/** Most ids of one question; the contract's bound. */
const maxIdsPerCall = 200;
/** Users whose names are remembered. */
const maxPeople = 5_000;

/** Names of users, asked for once. */
export class People {
  readonly #client: ChappeClient;
  readonly #onChange: () => void;
  readonly #known = new Map<bigint, Person>();
  readonly #asked = new Set<bigint>();
  #asking = false;

  constructor(client: ChappeClient, onChange: () => void) {
    this.#client = client;
    this.#onChange = onChange;
  }

  /** The user's name to show; a stand-in until it is known, which `onChange` tells. */
  nameOf(userId: bigint): string {
    return this.knownName(userId) ?? "…";
  }

  /** The user's name to show; undefined until it is known, which `onChange` tells. */
  knownName(userId: bigint): string | undefined {
    const person = this.#known.get(userId);
    if (person !== undefined) return person.displayName || person.name;
    if (this.#asked.size < maxPeople && !this.#asked.has(userId)) {
      this.#asked.add(userId);
      if (!this.#asking) {
        this.#asking = true;
        queueMicrotask(() => void this.#ask());
      }
    }
    return undefined;
  }

  /** Finds users by account name; unknown names are left out. Rejects with ChappeClientError. */
  async byName(names: readonly string[]): Promise<readonly Person[]> {
    const { users } = await this.#client.call(UserService).getUsers({ names: [...names] });
    for (const user of users) this.#known.set(user.userId, user);
    return users;
  }

  /** Learns the names of these users. Rejects with ConnectError. */
  async learn(userIds: readonly bigint[]): Promise<void> {
    const unknown = userIds.filter((id) => !this.#known.has(id));
    for (let from = 0; from < unknown.length; from += maxIdsPerCall) {
      const ids = unknown.slice(from, from + maxIdsPerCall);
      const { users } = await this.#client.call(UserService).getUsers({ userIds: ids });
      for (const user of users) this.#known.set(user.userId, user);
    }
  }

  async #ask(): Promise<void> {
    this.#asking = false;
    const userIds = [...this.#asked].filter((id) => !this.#known.has(id)).slice(0, maxIdsPerCall);
    if (userIds.length === 0) return;
    try {
      const { users } = await this.#client.call(UserService).getUsers({ userIds });
      for (const user of users) this.#known.set(user.userId, user);
      this.#onChange();
    } catch {
      // Asked again when the name is shown again.
      for (const id of userIds) this.#asked.delete(id);
    }
  }
}
