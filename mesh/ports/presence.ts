/** One connection of one device. */
export interface PresenceEntry {
  readonly userId: bigint;
  readonly deviceId: bigint;
  /** The Login process, as in the Directory. */
  readonly loginId: string;
  /** Fresh for each start of that process: entries of a dead start are void. */
  readonly loginEpoch: number;
  readonly connectionId: bigint;
  /** Found by lookups, but does not make its user online. */
  readonly invisible?: true;
}

/** A user came or went, as others see it. */
export interface PresenceChange {
  readonly userId: bigint;
  readonly online: boolean;
}

/**
 * Who is where. An entry counts while its (loginId, loginEpoch) holds a lease; a lost lease voids all its entries at
 * once. Bodies of messages never depend on it.
 */
export interface Presence {
  /**
   * Takes or renews the lease of a Login process; entries of its older epochs are void from now on. `entriesLost` = there
   * was no lease before, so what this epoch may have registered has to be registered again.
   */
  renewLease(loginId: string, loginEpoch: number, ttlMs: number): Promise<{ readonly entriesLost: boolean }>;
  /** Adds entries; an entry with the same connection is replaced, be it to hide or show it. Settled = lookups see it. */
  register(entries: readonly PresenceEntry[]): Promise<void>;
  /** Compare and delete: only entries equal in every field but `invisible` go. */
  unregister(entries: readonly PresenceEntry[]): Promise<void>;
  /** Live entries of each user, in the order asked, the invisible ones too; an empty list = offline. */
  lookup(userIds: readonly bigint[]): Promise<readonly (readonly PresenceEntry[])[]>;
  /** Calls back when a user's first visible entry comes or the last one goes or hides; answers the unsubscribe. */
  watch(onChanges: (changes: readonly PresenceChange[]) => void): () => void;
  close(): Promise<void>;
}

/** Whether others see a user with these entries online. */
export const isSeenOnline = (entries: readonly PresenceEntry[]): boolean =>
  entries.some(({ invisible }) => invisible === undefined);
