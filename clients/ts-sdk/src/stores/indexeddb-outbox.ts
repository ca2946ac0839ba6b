import { toHex } from "../ids.ts";
import type { OutboxEntry, OutboxStore } from "../outbox/outbox-store.ts";
import { type Stop, startTimer } from "../timers.ts";
import { answerOf, openDatabase, transact } from "./indexeddb.ts";

/** Options of an outbox in IndexedDB. */
export interface IndexedDbOutboxOptions {
  /** Name of the database: one per user. */
  readonly name: string;
  /** How often the tab that holds the outbox looks for tabs that died. @default 5,000 */
  readonly adoptIntervalMs?: number;
  /** @default navigator.locks; without locks a tab adopts everything when it opens, which P2 makes harmless */
  readonly locks?: LockManager | undefined;
}

interface Row {
  readonly tab: string;
  readonly entry: OutboxEntry;
}

const storeName = "entries";
const rowKey = (tab: string, key: string): string => `${tab}/${key}`;

/**
 * An outbox for browsers. Each tab has its own range of keys and holds a lock of its own as long as it lives; one tab
 * holds the outbox's lock too and takes over the entries of tabs that died.
 */
export function createIndexedDbOutbox(options: IndexedDbOutboxOptions): OutboxStore {
  const locks = "locks" in options ? options.locks : globalThis.navigator?.locks;
  const tab = toHex(crypto.getRandomValues(new Uint8Array(8)));
  const tabLock = (id: string): string => `chappe/${options.name}/tab/${id}`;
  const closing = new AbortController();
  let database: IDBDatabase;
  let stopTimer: Stop = () => {};

  /** Held until `close`; settles at once when it is granted. */
  const hold = (name: string): Promise<void> =>
    new Promise((granted) => {
      const held = locks!.request(name, { signal: closing.signal }, () => {
        granted();
        return new Promise<void>((release) =>
          closing.signal.addEventListener("abort", () => release(), { once: true }),
        );
      });
      held.catch(() => granted());
    });

  const orphans = async (): Promise<readonly OutboxEntry[]> => {
    const held = locks === undefined ? [] : ((await locks.query()).held ?? []);
    const alive = new Set(held.map((lock) => lock.name));
    const rows = (await answerOf(database.transaction(storeName).objectStore(storeName).getAll())) as Row[];
    const orphaned = rows.filter((row) => row.tab !== tab && !alive.has(tabLock(row.tab)));
    if (orphaned.length === 0) return [];
    await transact(database, storeName, (store) => {
      for (const row of orphaned) {
        store.delete(rowKey(row.tab, row.entry.key));
        store.put({ tab, entry: row.entry } satisfies Row, rowKey(tab, row.entry.key));
      }
    });
    return orphaned.map((row) => row.entry).sort((a, b) => (a.key < b.key ? -1 : 1));
  };

  const adoptForEver = async (onAdopted: (entries: readonly OutboxEntry[]) => void): Promise<void> => {
    if (closing.signal.aborted) return;
    const entries = await orphans().catch(() => []);
    if (closing.signal.aborted) return;
    if (entries.length > 0) onAdopted(entries);
    stopTimer = startTimer(options.adoptIntervalMs ?? 5_000, () => void adoptForEver(onAdopted));
  };

  return {
    async open(onAdopted) {
      database = await openDatabase(options.name, [storeName]);
      if (locks === undefined) return orphans();
      await hold(tabLock(tab));
      // Whoever holds it already looks after dead tabs; otherwise this tab does, from now on.
      void hold(`chappe/${options.name}/holder`).then(() => adoptForEver(onAdopted));
      return [];
    },
    write: ({ remove = [], put = [] }) =>
      transact(database, storeName, (store) => {
        for (const key of remove) store.delete(rowKey(tab, key));
        for (const entry of put) store.put({ tab, entry } satisfies Row, rowKey(tab, entry.key));
      }),
    async close() {
      stopTimer();
      closing.abort();
      database.close();
    },
  };
}
