/** One Send call that is not settled yet. */
export interface OutboxEntry {
  /** Hexadecimal client message id of the first message when the entry was made: unique, and in order of time. */
  readonly key: string;
  /** Who sends; entries of other users are left alone. */
  readonly userId: bigint;
  /** The encoded SendRequest. */
  readonly request: Uint8Array;
}

/** A change of the outbox. Removals come before puts; a put replaces the entry with its key. */
export interface OutboxChange {
  readonly remove?: readonly string[];
  readonly put?: readonly OutboxEntry[];
}

/**
 * Where unsettled sends outlive the program. One client at a time uses a store. `createMemoryOutbox` keeps nothing,
 * `createFileOutbox` (Node, in node.ts) and `createIndexedDbOutbox` (browsers) keep everything.
 */
export interface OutboxStore {
  /**
   * Opens the store and answers what earlier runs left, in order of key. `onAdopted` is called later with entries that
   * another owner of the same store (a browser tab) left when it died.
   */
  open(onAdopted: (entries: readonly OutboxEntry[]) => void): Promise<readonly OutboxEntry[]>;
  /** Makes the change whole or not at all; in order of the calls. Settled = it survives a crash of the program. */
  write(change: OutboxChange): Promise<void>;
  /** Settles when everything written is kept. */
  close(): Promise<void>;
}

/** An outbox that lives as long as the client. The default outside browsers. */
export function createMemoryOutbox(): OutboxStore {
  return {
    open: async () => [],
    write: async () => {},
    close: async () => {},
  };
}
