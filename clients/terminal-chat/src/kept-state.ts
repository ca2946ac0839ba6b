import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ChappeClientError, type ConnectOptions, randomDeviceId, userIdFromString } from "@chappe/sdk/src/index.ts";
import { createFileCursors, createFileOutbox } from "@chappe/sdk/src/node.ts";

/** What a run leaves to the next one. */
export interface KeptState {
  readonly options: Pick<ConnectOptions, "deviceId" | "outbox" | "cursors" | "backlog">;
  /** Gives the folder free. */
  close(): void;
}

/** Takes the folder for this process; the kernel gives it back however the process ends. Throws WRONG_STATE. */
function lock(directory: string): DatabaseSync {
  const database = new DatabaseSync(join(directory, "lock.db"));
  try {
    database.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
    return database;
  } catch (cause) {
    database.close();
    throw new ChappeClientError("WRONG_STATE", `${directory} is in use by another terminal`, { cause });
  }
}

function keptDeviceId(path: string): bigint {
  if (existsSync(path)) return userIdFromString(readFileSync(path, "utf8").trim());
  const fresh = randomDeviceId();
  writeFileSync(path, `${fresh}\n`, { mode: 0o600 });
  return fresh;
}

/** Opens the user's part of a folder: unsent messages, what was seen, the id of this installation. Throws WRONG_STATE. */
export function openKeptState(directory: string, userId: bigint): KeptState {
  const own = join(directory, String(userId));
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const held = lock(own);
  // The first run begins with what comes; later ones with what came meanwhile, in new conversations too.
  const isFirst = !existsSync(join(own, "cursors"));
  return {
    options: {
      deviceId: keptDeviceId(join(own, "device-id")),
      outbox: createFileOutbox({ path: join(own, "outbox") }),
      cursors: createFileCursors({ path: join(own, "cursors") }),
      backlog: isFirst ? "none" : "all",
    },
    close: () => held.close(),
  };
}
