const storageKey = "chappe-titles";
/** Titles that are kept. */
const maxTitles = 500;

/** Names of conversations, kept over reloads of the tab: offline nobody can be asked for them. */
export interface TitleMemory {
  /** The name of the last time; undefined when there was none. */
  recall(key: string): string | undefined;
  remember(key: string, title: string): void;
  /** Forgets all, for the next user of the tab. */
  clear(): void;
}

function read(storage: Storage): Map<string, string> {
  try {
    const entries: unknown = JSON.parse(storage.getItem(storageKey) ?? "[]");
    if (!Array.isArray(entries)) return new Map();
    return new Map(entries.filter((entry) => Array.isArray(entry)).map(([key, title]) => [String(key), String(title)]));
  } catch {
    return new Map();
  }
}

/** What the storage has, and what comes. */
export function createTitleMemory(storage: Storage): TitleMemory {
  const titles = read(storage);
  return {
    recall: (key) => titles.get(key),
    remember(key, title) {
      if (titles.get(key) === title || (titles.size >= maxTitles && !titles.has(key))) return;
      titles.set(key, title);
      storage.setItem(storageKey, JSON.stringify([...titles]));
    },
    clear() {
      titles.clear();
      storage.removeItem(storageKey);
    },
  };
}
