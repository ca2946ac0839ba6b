import type { OutboxChange, OutboxEntry, OutboxStore } from "../outbox/outbox-store.ts";
import { type LineLog, openLineLog } from "./line-log.ts";

/** Options of an outbox in a file. */
export interface FileOutboxOptions {
  /** One file per client; two at once on one file would spoil it. Made when missing, readable by its owner only. */
  readonly path: string;
  /** The file is rewritten when it is longer than this and mostly settled. @default 1 MiB */
  readonly compactBytes?: number;
}

interface StoredEntry {
  readonly key: string;
  readonly userId: string;
  /** Base64. */
  readonly request: string;
}

interface StoredChange {
  readonly remove?: readonly string[];
  readonly put?: readonly StoredEntry[];
}

const store = ({ key, userId, request }: OutboxEntry): StoredEntry => ({
  key,
  userId: userId.toString(),
  request: Buffer.from(request).toString("base64"),
});

const restore = ({ key, userId, request }: StoredEntry): OutboxEntry => ({
  key,
  userId: BigInt(userId),
  request: Uint8Array.from(Buffer.from(request, "base64")),
});

/** An outbox for Node: an append-only file with one fdatasync per turn, rewritten when most of it is settled. */
export function createFileOutbox({ path, compactBytes = 1024 * 1024 }: FileOutboxOptions): OutboxStore {
  const live = new Map<string, StoredEntry>();
  let log: LineLog | undefined;
  let compacting = false;

  const apply = ({ remove = [], put = [] }: StoredChange): void => {
    for (const key of remove) live.delete(key);
    for (const entry of put) live.set(entry.key, entry);
  };
  const compactWhenDue = (): void => {
    if (log === undefined || compacting || log.bytes < compactBytes) return;
    const liveBytes = [...live.values()].reduce((sum, entry) => sum + entry.request.length + 100, 0);
    if (log.bytes < 4 * liveBytes) return;
    compacting = true;
    const entries = [...live.values()];
    const done = (): void => {
      compacting = false;
    };
    // What is not rewritten now is rewritten later; until then the old file stands.
    log.replace([{ put: entries } satisfies StoredChange]).then(done, done);
  };

  return {
    async open() {
      const opened = await openLineLog(path);
      log = opened.log;
      for (const line of opened.lines) apply(line as StoredChange);
      return [...live.values()].map(restore).sort((a, b) => (a.key < b.key ? -1 : 1));
    },
    async write({ remove, put }: OutboxChange) {
      const change: StoredChange = {
        ...(remove === undefined || remove.length === 0 ? {} : { remove }),
        ...(put === undefined || put.length === 0 ? {} : { put: put.map(store) }),
      };
      const touched = [...(remove ?? []), ...(put ?? []).map((entry) => entry.key)];
      const before = touched.map((key) => [key, live.get(key)] as const);
      // In memory first: a rewrite that is queued behind this line must contain it.
      apply(change);
      try {
        await log!.append(change);
      } catch (error) {
        for (const [key, entry] of before) {
          if (entry === undefined) live.delete(key);
          else live.set(key, entry);
        }
        throw error;
      }
      compactWhenDue();
    },
    async close() {
      await log?.close();
    },
  };
}
