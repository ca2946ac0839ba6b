import { ChappeError } from "../../errors/chappe-error.ts";
import type { Directory, DirectoryEntry } from "../../ports/directory.ts";

interface Role {
  readonly entries: Map<string, DirectoryEntry>;
  readonly watchers: Set<(entries: readonly DirectoryEntry[]) => void>;
}

/** A Directory of this process. Watchers are called within the change. */
class MemoryDirectory implements Directory {
  readonly #roles = new Map<string, Role>();
  #closed = false;

  async register(entry: DirectoryEntry): Promise<() => Promise<void>> {
    if (this.#closed) throw new ChappeError("UNAVAILABLE", "The directory is closed.");
    const role = this.#role(entry.role);
    const own = { ...entry };
    role.entries.set(own.id, own);
    notify(role);
    return async () => {
      // A later registration under the same id is not this one's to remove.
      if (role.entries.get(own.id) !== own) return;
      role.entries.delete(own.id);
      notify(role);
    };
  }

  async list(role: string): Promise<readonly DirectoryEntry[]> {
    const known = this.#roles.get(role);
    return known === undefined ? [] : sorted(known);
  }

  watch(role: string, onEntries: (entries: readonly DirectoryEntry[]) => void): () => void {
    const known = this.#role(role);
    const watcher = (entries: readonly DirectoryEntry[]): void => onEntries(entries);
    known.watchers.add(watcher);
    watcher(sorted(known));
    return () => void known.watchers.delete(watcher);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const role of this.#roles.values()) role.watchers.clear();
    this.#roles.clear();
  }

  #role(name: string): Role {
    const known = this.#roles.get(name);
    if (known !== undefined) return known;
    const role: Role = { entries: new Map(), watchers: new Set() };
    this.#roles.set(name, role);
    return role;
  }
}

function sorted(role: Role): DirectoryEntry[] {
  return [...role.entries.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function notify(role: Role): void {
  const entries = sorted(role);
  for (const watcher of [...role.watchers]) watcher(entries);
}

/** The Directory of the embedded form: one process, nothing survives it. */
export function createMemoryDirectory(): Directory {
  return new MemoryDirectory();
}
