import { fromHex, toHex } from "../ids.ts";
import type { CursorStore } from "../receive/cursor-store.ts";
import { answerOf, openDatabase, transact } from "./indexeddb.ts";

const storeName = "cursors";

/** Cursors for browsers; `name` = name of the database, one per user. */
export function createIndexedDbCursors(options: { readonly name: string }): CursorStore {
  let opening: Promise<IDBDatabase> | undefined;
  const database = (): Promise<IDBDatabase> => {
    opening ??= openDatabase(options.name, [storeName]);
    return opening;
  };
  return {
    async load() {
      const store = (await database()).transaction(storeName).objectStore(storeName);
      const [keys, seqs] = await Promise.all([answerOf(store.getAllKeys()), answerOf(store.getAll())]);
      return keys.map((key, index) => [fromHex(String(key)), Number(seqs[index])] as const);
    },
    async save(cursors) {
      await transact(await database(), storeName, (store) => {
        for (const [conversationId, seq] of cursors) store.put(seq, toHex(conversationId));
      });
    },
    async close() {
      (await opening)?.close();
    },
  };
}
