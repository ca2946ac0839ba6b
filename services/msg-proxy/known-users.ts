import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";

/** Which users there are, as far as it was asked. */
export interface KnownUsers {
  /** Whether it is known that there is such a user. */
  has(userId: bigint): boolean;
  /** Asks the store; whoever asks while an answer is under way waits for the next one, which is one for all. */
  exists(userId: bigint): Promise<boolean>;
}

/** Users remembered. */
const maxKnown = 100_000;

class Known implements KnownUsers {
  readonly #users: Pick<BusinessStore, "usersById">;
  readonly #known = new Set<bigint>();
  #waiting: Set<bigint> = new Set();
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(users: Pick<BusinessStore, "usersById">) {
    this.#users = users;
  }

  has(userId: bigint): boolean {
    return this.#known.has(userId);
  }

  async exists(userId: bigint): Promise<boolean> {
    this.#waiting.add(userId);
    this.#next ??= this.#afterRunning();
    await this.#next;
    return this.#known.has(userId);
  }

  /** One look-up for all who wait once the one before has ended, however it did. */
  #afterRunning(): Promise<void> {
    const look = async (): Promise<void> => {
      const ids = [...this.#waiting];
      this.#waiting = new Set();
      this.#next = undefined;
      const rows = await this.#users.usersById(ids);
      if (this.#known.size + rows.length > maxKnown) this.#known.clear();
      for (const { userId } of rows) this.#known.add(userId);
    };
    const next = this.#running.then(look);
    this.#running = next.catch(() => undefined);
    return next;
  }
}

/** Knows nobody yet. Only users that are there are remembered: others may come. */
export function createKnownUsers(users: Pick<BusinessStore, "usersById">): KnownUsers {
  return new Known(users);
}
