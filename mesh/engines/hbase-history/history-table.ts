import { historySplitKeys } from "../history-blocks.ts";
import { historyFamily } from "./create-hbase-history.ts";

/** The table of the history, as whoever makes it needs it: one version of each cell, split by the salt of its rows. */
export interface HistoryTable {
  readonly name: string;
  readonly family: string;
  /** First rows of all regions but the first. */
  readonly splitKeys: readonly Buffer[];
}

/** Describes the table with so many regions, 1 to 256. */
export function historyTable(name: string, regions: number): HistoryTable {
  return { name, family: historyFamily, splitKeys: historySplitKeys(regions) };
}
