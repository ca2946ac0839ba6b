import { setTimeout as sleep } from "node:timers/promises";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import { findMetaServer, type HbaseAddress } from "./find-meta-server.ts";
import { HbaseFailure } from "./hbase-failure.ts";
import { type HbaseLibrary, loadHbaseLibrary, type MultiResponse, type WireRow } from "./hbase-library.ts";
import { RegionServer } from "./region-server.ts";
import { type Region, RegionTable } from "./region-table.ts";
import { within } from "./within.ts";

/** A table of an HBase. */
export interface HbaseTableOptions extends HbaseAddress {
  readonly table: string;
  /** One operation with its repetitions. @default limits.hbaseTimeoutMs */
  readonly timeoutMs?: number;
  /** One call. @default limits.hbaseCallTimeoutMs */
  readonly callTimeoutMs?: number;
}

/** One row to write or read: the library's `mutation` or `gxt` (its word for get). */
export interface RowAction {
  readonly row: Buffer;
  readonly body: Readonly<{ mutation: object } | { gxt: object }>;
}

const metaRegion = { type: "REGION_NAME", value: Buffer.from("hbase:meta,,1") };
const metaRowsPerCall = 1_000;

/** Where each action of one request stands among all. */
interface RegionPart {
  readonly region: Region;
  readonly at: number[];
}

function checkAnswer(parts: readonly RegionPart[], { regionActionResult }: MultiResponse, rows: WireRow[]): void {
  if (regionActionResult.length !== parts.length) throw new HbaseFailure("moved", "an answer misses a region");
  for (const [index, { at }] of parts.entries()) {
    const { exception, resultOrException } = regionActionResult[index]!;
    if (exception) throw HbaseFailure.ofException(exception.name);
    const answered = new Set<number>();
    for (const one of resultOrException) {
      if (one.exception) throw HbaseFailure.ofException(one.exception.name);
      const place = at[one.index ?? 0];
      if (place === undefined) throw new HbaseFailure("moved", "an answer to what was not asked");
      rows[place] = one.result ?? { cell: [] };
      answered.add(place);
    }
    if (answered.size !== at.length) throw new HbaseFailure("moved", "an answer misses a row");
  }
}

/** Reads and writes rows of one table by key, on whatever servers have them now; every operation can be repeated. */
export class HbaseTableClient {
  readonly #options: HbaseTableOptions;
  readonly #library: HbaseLibrary;
  readonly #callTimeoutMs: number;
  readonly #servers = new Map<string, RegionServer>();
  #regions: Promise<RegionTable> | undefined;
  /** Regions that are still looked up serve the next try: an operation may have less time than that takes. */
  #locating = false;
  #closed = false;

  constructor(options: HbaseTableOptions) {
    this.#options = options;
    this.#library = loadHbaseLibrary();
    this.#callTimeoutMs = options.callTimeoutMs ?? limits.hbaseCallTimeoutMs;
  }

  /**
   * All of the actions, in any order, or an error after some of them; answers what was read, in the order asked.
   * UNAVAILABLE when HBase does not do it in time, INTERNAL when it refuses for good.
   */
  async run(actions: readonly RowAction[]): Promise<readonly WireRow[]> {
    const timeoutMs = this.#options.timeoutMs ?? limits.hbaseTimeoutMs;
    const endMs = performance.now() + timeoutMs;
    for (let waitMs: number = limits.hbaseRetryMs; ; waitMs = Math.min(limits.hbaseRetryMaxMs, waitMs * 2)) {
      if (this.#closed) throw new ChappeError("UNAVAILABLE", "the message history is closed");
      try {
        const late = () => new HbaseFailure("lost", `no answer in ${timeoutMs} ms`);
        return await within(Math.max(1, endMs - performance.now()), this.#attempt(actions), late);
      } catch (error) {
        this.#judge(error, endMs - performance.now() - waitMs);
      }
      await sleep(waitMs);
    }
  }

  close(): void {
    this.#closed = true;
    for (const server of [...this.#servers.values()]) server.close();
  }

  /** Throws what ends an operation; returns when there is time to try again, and then by what is true now. */
  #judge(error: unknown, leftMs: number): void {
    if (!(error instanceof HbaseFailure)) throw error;
    if (error.kind === "refused")
      throw new ChappeError("INTERNAL", `HBase refuses table ${this.#options.table}: ${error.message}`, {
        cause: error,
      });
    if (!this.#locating) this.#regions = undefined;
    if (leftMs > 0 && !this.#closed) return;
    throw new ChappeError("UNAVAILABLE", `HBase does not answer: ${error.message}`, { cause: error });
  }

  async #attempt(actions: readonly RowAction[]): Promise<readonly WireRow[]> {
    const regions = await this.#locate();
    const byServer = new Map<string, Map<Region, RegionPart>>();
    for (const [index, { row }] of actions.entries()) {
      const region = regions.of(row);
      const parts = byServer.get(region.server) ?? new Map<Region, RegionPart>();
      byServer.set(region.server, parts);
      const part = parts.get(region) ?? { region, at: [] };
      parts.set(region, part);
      part.at.push(index);
    }
    const rows: WireRow[] = [];
    await Promise.all(
      [...byServer].map(async ([address, parts]) => {
        const list = [...parts.values()];
        const regionAction = list.map(({ region: { name }, at }) => ({
          region: { type: "REGION_NAME", value: name },
          action: at.map((place, index) => ({ index, ...actions[place]!.body })),
        }));
        checkAnswer(list, await this.#server(address).multi({ regionAction }), rows);
      }),
    );
    return rows;
  }

  #locate(): Promise<RegionTable> {
    if (this.#regions === undefined) {
      this.#locating = true;
      this.#regions = this.#readRegions()
        .catch((error: unknown) => {
          this.#regions = undefined;
          throw error;
        })
        .finally(() => {
          this.#locating = false;
        });
    }
    return this.#regions;
  }

  /** Reads the table's rows of the region of regions, to the end: the library's own scanner stops early. */
  async #readRegions(): Promise<RegionTable> {
    const { table } = this.#options;
    const server = this.#server(await findMetaServer(this.#library, this.#options, this.#callTimeoutMs));
    // In the order of that region, names of tables come first: "name " follows "name" at once.
    const [startRow, stopRow] = [Buffer.from(`${table},,`), Buffer.from(`${table} ,,`)];
    const scan = { startRow, stopRow, column: [{ family: Buffer.from("info"), qualifier: [] }] };
    const rows: WireRow[] = [];
    let answer = await server.scan({ region: metaRegion, scan, numberOfRows: metaRowsPerCall });
    while (answer.results.length > 0) {
      rows.push(...answer.results);
      if (rows.length > limits.maxHbaseRegions) throw new HbaseFailure("refused", `${table} has too many regions`);
      if (answer.moreResults === false) return RegionTable.from(table, rows);
      answer = await server.scan({ scannerId: answer.scannerId, numberOfRows: metaRowsPerCall });
    }
    if (answer.moreResults !== false) await server.scan({ scannerId: answer.scannerId, closeScanner: true });
    return RegionTable.from(table, rows);
  }

  #server(address: string): RegionServer {
    const known = this.#servers.get(address);
    if (known !== undefined) return known;
    if (this.#closed) throw new HbaseFailure("lost", "closed");
    const server: RegionServer = new RegionServer({
      library: this.#library,
      address,
      timeoutMs: this.#callTimeoutMs,
      onClosed: () => {
        if (this.#servers.get(address) === server) this.#servers.delete(address);
      },
    });
    this.#servers.set(address, server);
    return server;
  }
}
