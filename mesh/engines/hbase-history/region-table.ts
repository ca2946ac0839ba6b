import { WireReader } from "../../codec/wire-reader.ts";
import { HbaseFailure } from "./hbase-failure.ts";
import type { WireRow } from "./hbase-library.ts";

/** A region of a table and who serves it. */
export interface Region {
  readonly name: Buffer;
  /** First row; empty = from the beginning. */
  readonly startKey: Buffer;
  /** First row of the next region; empty = to the end. */
  readonly endKey: Buffer;
  /** host:port */
  readonly server: string;
}

const magic = "PBUF";

/** Reads a serialized RegionInfo; undefined for one that is offline or was split. */
function parseRegionInfo(value: Buffer): Pick<Region, "startKey" | "endKey"> | undefined {
  if (value.subarray(0, magic.length).toString("latin1") !== magic)
    throw new HbaseFailure("moved", "a region describes itself in an unknown way");
  const reader = new WireReader(value.subarray(magic.length), "CORRUPT");
  let [startKey, endKey] = [Buffer.alloc(0), Buffer.alloc(0)];
  let gone = false;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x1a) startKey = Buffer.from(reader.view());
    else if (tag === 0x22) endKey = Buffer.from(reader.view());
    else if (tag === 0x28 || tag === 0x30) gone = reader.bool() || gone;
    else reader.skip(tag);
  }
  return gone ? undefined : { startKey, endKey };
}

function toRegion({ cell }: WireRow): Region | undefined {
  const named = new Map(cell.map((one) => [one.qualifier.toBuffer().toString("latin1"), one]));
  const info = named.get("regioninfo");
  if (info === undefined) return undefined;
  const keys = parseRegionInfo(info.value.toBuffer());
  if (keys === undefined) return undefined;
  const server = named.get("server")?.value.toBuffer().toString("latin1") ?? "";
  if (server === "") throw new HbaseFailure("moved", "a region is not served by anybody now");
  return { name: info.row.toBuffer(), server, ...keys };
}

/** The regions of a table, which cover every row. */
export class RegionTable {
  /** In order of their first rows. */
  readonly #regions: readonly Region[];

  private constructor(regions: readonly Region[]) {
    this.#regions = regions;
  }

  /** From rows of the region of regions. HbaseFailure when they do not cover every row: some are on their way. */
  static from(table: string, rows: readonly WireRow[]): RegionTable {
    const regions = rows.flatMap((row) => toRegion(row) ?? []);
    regions.sort((a, b) => Buffer.compare(a.startKey, b.startKey));
    if (regions.length === 0) throw new HbaseFailure("moved", `there is no table ${table}`);
    let next: Buffer = Buffer.alloc(0);
    for (const [index, { startKey, endKey }] of regions.entries()) {
      const isLast = index === regions.length - 1;
      if (!startKey.equals(next) || isLast !== (endKey.length === 0))
        throw new HbaseFailure("moved", `regions of ${table} are on their way`);
      next = endKey;
    }
    return new RegionTable(regions);
  }

  /** The region of a row. */
  of(row: Buffer): Region {
    let [low, high] = [0, this.#regions.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (Buffer.compare(this.#regions[middle]!.startKey, row) <= 0) low = middle;
      else high = middle - 1;
    }
    return this.#regions[low]!;
  }
}
