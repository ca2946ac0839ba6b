import { join } from "node:path";
import type { ChappeError } from "../../errors/chappe-error.ts";
import type { BusinessStore } from "../../ports/business-store.ts";
import { createWorkerHost } from "../sqlite/worker-host.ts";

/** Options of createSqliteBusinessStore. */
export interface SqliteBusinessStoreOptions {
  /** Must exist. */
  readonly directory: string;
  /** The database worker has died; the process should stop. */
  readonly onFailed?: (error: ChappeError) => void;
}

/** Opens the business store of a data directory. UNAVAILABLE when another version made it. */
export async function createSqliteBusinessStore(options: SqliteBusinessStoreOptions): Promise<BusinessStore> {
  const file = join(options.directory, "business.db");
  const host = await createWorkerHost(new URL("./worker.ts", import.meta.url), { file }, options.onFailed);
  return {
    insertUser: (row) => host.call("insertUser", [row]),
    usersById: (ids) => host.call("usersById", [ids]),
    usersByName: (names) => host.call("usersByName", [names]),
    raiseSessionVersion: (id) => host.call("raiseSessionVersion", [id]),
    insertSession: (row) => host.call("insertSession", [row]),
    session: (id) => host.call("session", [id]),
    rotateSession: (id, expectedHash, next) => host.call("rotateSession", [id, expectedHash, next]),
    deleteSession: (id) => host.call("deleteSession", [id]),
    updateProfile: (id, profile) => host.call("updateProfile", [id, profile]),
    insertGroup: (row) => host.call("insertGroup", [row]),
    updateGroup: (id, profile) => host.call("updateGroup", [id, profile]),
    groups: (ids) => host.call("groups", [ids]),
    raiseCursors: (rows) => host.call("raiseCursors", [rows]),
    cursors: (id, limit) => host.call("cursors", [id, limit]),
    cursorsOf: (userId, ids) => host.call("cursorsOf", [userId, ids]),
    async secret(name, make) {
      const stored = await host.call<Uint8Array | undefined>("secret", [name]);
      return stored ?? host.call<Uint8Array>("storeSecret", [name, await make()]);
    },
    outbox: (limit) => host.call("outbox", [limit]),
    deleteOutbox: (ids) => host.call("deleteOutbox", [ids]),
    close: () => host.close(),
  };
}
