import { join } from "node:path";
import type { ChappeError } from "../../errors/chappe-error.ts";
import { historyBlockMessages, type MessageHistory } from "../../ports/message-history.ts";
import {
  type HistoryCell,
  type HistoryRow,
  historyRowParts,
  placeOf,
  readHistory,
  toHistoryRequests,
} from "../history-blocks.ts";
import { createWorkerHost, type WorkerHost } from "../sqlite/worker-host.ts";
import type { StoredCell, StoredRow } from "./history-database.ts";

/** Options of createSqliteHistory. */
export interface SqliteHistoryOptions {
  /** Must exist. */
  readonly directory: string;
  /** The database worker has died; the process should stop. */
  readonly onFailed?: (error: ChappeError) => void;
}

const toStored = ({ key, cells }: HistoryRow): StoredRow => ({
  key,
  places: cells.map(({ seq }) => placeOf(seq)),
  messages: cells.map(({ bytes }) => bytes),
});

class SqliteHistory implements MessageHistory {
  readonly #host: WorkerHost;

  constructor(host: WorkerHost) {
    this.#host = host;
  }

  async put(runs: Parameters<MessageHistory["put"]>[0]): Promise<void> {
    for (const rows of toHistoryRequests(runs)) await this.#host.call("put", [rows.map(toStored)]);
  }

  readRange(...[id, fromSeq, toSeq, bounds]: Parameters<MessageHistory["readRange"]>) {
    return readHistory((...wanted) => this.#readCells(...wanted), id, { ...bounds, fromSeq, toSeq });
  }

  close(): Promise<void> {
    return this.#host.close();
  }

  async #readCells(conversationId: Uint8Array, fromSeq: number, toSeq: number): Promise<HistoryCell[]> {
    const parts = historyRowParts(conversationId, fromSeq, toSeq);
    const rows = await this.#host.call<StoredCell[][]>("read", [parts]);
    return rows.flatMap((cells, index) =>
      cells.map(({ place, message: bytes }) => ({
        seq: parts[index]!.block * historyBlockMessages + place,
        bytes,
      })),
    );
  }
}

/** Opens the history of a data directory: the rows and cells that HBase would have, as a table of SQLite. */
export async function createSqliteHistory(options: SqliteHistoryOptions): Promise<MessageHistory> {
  const file = join(options.directory, "history.db");
  const host = await createWorkerHost(new URL("./worker.ts", import.meta.url), { file }, options.onFailed);
  return new SqliteHistory(host);
}
