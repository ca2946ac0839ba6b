import { PresenceChangedSchema, PresenceService } from "@chappe/gen/proto/chappe/online/v1/presence_service_pb.ts";
import type { ChappeClient } from "@chappe/sdk/src/index.ts";

/** Users that one connection may watch; the contract's bound. */
const maxWatched = 500;

/** Who of the user's correspondents is online. */
export class PresenceBoard {
  readonly #client: ChappeClient;
  readonly #onChange: () => void;
  readonly #watched = new Set<bigint>();
  readonly #online = new Set<bigint>();
  #asking = false;

  constructor(client: ChappeClient, onChange: () => void) {
    this.#client = client;
    this.#onChange = onChange;
  }

  isOnline(userId: bigint): boolean {
    return this.#online.has(userId);
  }

  /** Watches one more user; beyond the bound the user counts as offline. */
  watch(userId: bigint): void {
    if (this.#watched.has(userId) || this.#watched.size >= maxWatched) return;
    this.#watched.add(userId);
    this.connected();
  }

  /** A watch ends with its connection: asks again on a new one. */
  connected(): void {
    if (this.#asking || this.#watched.size === 0) return;
    this.#asking = true;
    queueMicrotask(() => void this.#ask());
  }

  start(signal: AbortSignal): void {
    void this.#follow(signal);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for await (const { presences } of this.#client.events(PresenceChangedSchema, { signal })) {
      for (const { userId, online } of presences) this.#set(userId, online);
      this.#onChange();
    }
  }

  async #ask(): Promise<void> {
    this.#asking = false;
    try {
      const { presences } = await this.#client.call(PresenceService).watchPresence({ userIds: [...this.#watched] });
      for (const { userId, online } of presences) this.#set(userId, online);
      this.#onChange();
    } catch {
      // The next connection asks again.
    }
  }

  #set(userId: bigint, online: boolean): void {
    if (online) this.#online.add(userId);
    else this.#online.delete(userId);
  }
}
