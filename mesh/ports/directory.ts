/** A module instance that can be reached. */
export interface DirectoryEntry {
  /** What it serves: a role name or `svid:N`. */
  readonly role: string;
  /** Unique in the role. */
  readonly id: string;
  /** How to reach it; `local` = in this process. */
  readonly address: string;
}

/**
 * Who runs where. An entry lives as long as its registration is renewed by the engine; closing it removes it at once.
 */
export interface Directory {
  /** Adds the entry; answers the removal. An id already there is replaced. */
  register(entry: DirectoryEntry): Promise<() => Promise<void>>;
  /** The entries of a role now, in order of id. */
  list(role: string): Promise<readonly DirectoryEntry[]>;
  /** Calls back with the whole list of the role, at once and after each change; answers the unsubscribe. */
  watch(role: string, onEntries: (entries: readonly DirectoryEntry[]) => void): () => void;
  close(): Promise<void>;
}
