import { historyBlockMessages, type MessageHistory } from "../../ports/message-history.ts";
import {
  type HistoryCell,
  type HistoryRow,
  type HistoryRowPart,
  historyRowParts,
  placeOf,
  readHistory,
  toHistoryRequests,
} from "../history-blocks.ts";
import { HbaseTableClient, type HbaseTableOptions, type RowAction } from "./hbase-table-client.ts";

/** The one column family of the table. */
export const historyFamily = "m";

/** Options of createHbaseHistory; the table must exist. */
export type HbaseHistoryOptions = HbaseTableOptions;

const family = Buffer.from(historyFamily);
/** Every qualifier there is, made once. */
const qualifiers = Array.from({ length: historyBlockMessages }, (_, place) => Buffer.from([place]));

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function putOf({ key, cells }: HistoryRow): RowAction {
  const qualifierValue = cells.map(({ seq, bytes }) => ({
    qualifier: qualifiers[placeOf(seq)],
    value: asBuffer(bytes),
  }));
  return { row: key, body: { mutation: { row: key, mutateType: "PUT", columnValue: [{ family, qualifierValue }] } } };
}

/** Asks a row for its cells from one place to another; for all of them without naming any. */
function getOf({ key: row, fromPlace, toPlace }: HistoryRowPart): RowAction {
  const isWhole = fromPlace === 0 && toPlace === historyBlockMessages - 1;
  const column = [{ family, qualifier: isWhole ? [] : qualifiers.slice(fromPlace, toPlace + 1) }];
  return { row, body: { gxt: { row, column, maxVersions: 1 } } };
}

class HbaseHistory implements MessageHistory {
  readonly #client: HbaseTableClient;

  constructor(options: HbaseHistoryOptions) {
    this.#client = new HbaseTableClient(options);
  }

  async put(runs: Parameters<MessageHistory["put"]>[0]): Promise<void> {
    for (const rows of toHistoryRequests(runs)) await this.#client.run(rows.map(putOf));
  }

  readRange(...[id, fromSeq, toSeq, bounds]: Parameters<MessageHistory["readRange"]>) {
    return readHistory((...wanted) => this.#readCells(...wanted), id, { ...bounds, fromSeq, toSeq });
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #readCells(conversationId: Uint8Array, fromSeq: number, toSeq: number): Promise<HistoryCell[]> {
    const parts = historyRowParts(conversationId, fromSeq, toSeq);
    const rows = await this.#client.run(parts.map(getOf));
    return rows.flatMap(({ cell }, index) => {
      const firstSeq = parts[index]!.block * historyBlockMessages;
      // Qualifiers are in order of their bytes, so cells are in order of seq.
      return cell.map(({ qualifier, value }) => ({
        seq: firstSeq + qualifier.toBuffer()[0]!,
        bytes: value.toBuffer(),
      }));
    });
  }
}

/** The history on HBase; `limits` bound its requests. Nothing is asked of HBase before the first call. */
export function createHbaseHistory(options: HbaseHistoryOptions): MessageHistory {
  return new HbaseHistory(options);
}
