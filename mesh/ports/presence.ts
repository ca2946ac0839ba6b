/** One connection of one device. */
export interface PresenceEntry {
  readonly userId: bigint;
  readonly deviceId: bigint;
  /** The Login process, as in the Directory. */
  readonly loginId: string;
  /** Fresh for each start of that process: entries of a dead start are void. */
  readonly loginEpoch: number;
  readonly connectionId: bigint;
}

/** A user came or went. */
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
  /** Adds entries; an entry with the same connection is replaced. Settled = lookups see it. */
  register(entries: readonly PresenceEntry[]): Promise<void>;
  /** Compare and delete: only entries equal in every field go. */
  unregister(entries: readonly PresenceEntry[]): Promise<void>;
  /** Live entries of each user, in the order asked; an empty list = offline. */
  lookup(userIds: readonly bigint[]): Promise<readonly (readonly PresenceEntry[])[]>;
  /** Calls back when a user's first entry comes or last entry goes; answers the unsubscribe. */
  watch(onChanges: (changes: readonly PresenceChange[]) => void): () => void;
  close(): Promise<void>;
}
