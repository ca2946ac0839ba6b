import { inTransaction, openDatabase } from "../sqlite/open-database.ts";
import type { WorkerMethods } from "../sqlite/serve-worker.ts";

/** Cells of one row as the worker takes them. */
export interface StoredRow {
  readonly key: Uint8Array;
  readonly places: readonly number[];
  readonly messages: readonly Uint8Array[];
}

/** Cells of one row as the worker is asked for them. */
export interface WantedRow {
  readonly key: Uint8Array;
  readonly fromPlace: number;
  readonly toPlace: number;
}

/** A cell as the worker answers it. */
export interface StoredCell {
  readonly place: number;
  readonly message: Uint8Array;
}

const schema = `CREATE TABLE cell(row BLOB NOT NULL, place INTEGER NOT NULL, message BLOB NOT NULL,
  PRIMARY KEY(row, place)) WITHOUT ROWID`;

/** Opens the history database of one file; its methods run in a worker thread. */
export function openHistoryDatabase(file: string): WorkerMethods {
  const database = openDatabase({
    file,
    pageBytes: 16_384,
    // Once the source is dropped nobody else has the messages.
    synchronous: "full",
    cacheKib: 16_384,
    autoCheckpointPages: 1_000,
    schemaVersion: 1,
    schema,
  });
  const put = database.prepare("INSERT INTO cell VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET message = excluded.message");
  const read = database.prepare(
    "SELECT place, message FROM cell WHERE row = ? AND place BETWEEN ? AND ? ORDER BY place",
  );
  return {
    put: (rows: readonly StoredRow[]) =>
      inTransaction(database, () => {
        for (const { key, places, messages } of rows)
          for (const [index, place] of places.entries()) put.run(key, place, messages[index]!);
      }),
    read: (rows: readonly WantedRow[]) =>
      rows.map(({ key, fromPlace, toPlace }) => read.all(key, fromPlace, toPlace) as unknown as StoredCell[]),
    close: () => database.close(),
  };
}
