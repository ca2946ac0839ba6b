import { fromHex, toHex } from "../ids.ts";
import type { CursorStore } from "../receive/cursor-store.ts";
import { type LineLog, openLineLog } from "./line-log.ts";

/** Cursors for Node, in an append-only file that is rewritten now and then; `path` = one file per client. */
export function createFileCursors(options: { readonly path: string; readonly compactBytes?: number }): CursorStore {
  const { path, compactBytes = 256 * 1024 } = options;
  const cursors = new Map<string, number>();
  let log: LineLog | undefined;
  const apply = (changes: Readonly<Record<string, number>>): void => {
    for (const [key, seq] of Object.entries(changes)) cursors.set(key, seq);
  };
  return {
    async load() {
      const opened = await openLineLog(path);
      log = opened.log;
      for (const line of opened.lines) apply(line as Record<string, number>);
      return [...cursors].map(([key, seq]) => [fromHex(key), seq] as const);
    },
    async save(changed) {
      const changes = Object.fromEntries(changed.map(([conversationId, seq]) => [toHex(conversationId), seq]));
      apply(changes);
      await log!.append(changes);
      if (log!.bytes > compactBytes && log!.bytes > cursors.size * 200)
        await log!.replace([Object.fromEntries(cursors)]);
    },
    async close() {
      await log?.close();
    },
  };
}
