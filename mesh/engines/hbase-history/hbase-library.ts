import type { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import type { Socket } from "node:net";

/** Bytes as the library decodes them. */
export interface WireBytes {
  toBuffer(): Buffer;
}

/** A failure of one action or one region. */
export interface NamedFailure {
  readonly name: string;
  readonly value?: WireBytes | null;
}

/** A cell of a row. */
export interface WireCell {
  readonly row: WireBytes;
  readonly family: WireBytes;
  readonly qualifier: WireBytes;
  readonly value: WireBytes;
}

/** A row, as far as it was asked for; no cells = no such row. */
export interface WireRow {
  readonly cell: readonly WireCell[];
}

/** Answer to Multi: one entry a region, in the order asked. */
export interface MultiResponse {
  readonly regionActionResult: readonly {
    readonly exception?: NamedFailure | null;
    readonly resultOrException: readonly {
      readonly index?: number | null;
      readonly result?: WireRow | null;
      readonly exception?: NamedFailure | null;
    }[];
  }[];
}

/** Answer to Scan. */
export interface ScanResponse {
  readonly scannerId?: unknown;
  readonly moreResults?: boolean | null;
  readonly results: readonly WireRow[];
}

/** Methods of a region server that we call. */
export interface RegionServerCalls {
  Multi(request: object, done: (error: unknown, response: MultiResponse) => void): void;
  Scan(request: object, done: (error: unknown, response: ScanResponse) => void): void;
}

/** The library's connection to one server. */
export interface LibraryConnection extends EventEmitter {
  readonly socket: Socket;
  /** There from its event "connect" on. */
  readonly rpc: RegionServerCalls;
  /** Calls without an answer. */
  readonly calls: Readonly<Record<string, { readonly timer: NodeJS.Timeout }>>;
}

/** What is used of hbase-rpc-client. */
export interface HbaseLibrary {
  readonly Connection: new (options: object) => LibraryConnection;
  readonly decodeMeta: (data: Buffer) => { readonly server: { readonly hostName: string; readonly port: number } };
}

/**
 * Loads the library. Only its connection, its messages and what it knows of HBase's node in ZooKeeper are used: its client
 * drops rows from scans, finds regions by a call that HBase 2 has no more, names regions as text, which breaks binary
 * keys, hands over the failure of an action as if it were a row, and cannot be closed. The ZooKeeper client under it takes
 * the answer to a session that was given up for another one's and throws where nobody can catch it.
 */
export function loadHbaseLibrary(): HbaseLibrary {
  const load = createRequire(import.meta.url);
  const { decodeMeta } = load("hbase-rpc-client/lib/zk-protobuf") as Pick<HbaseLibrary, "decodeMeta">;
  const Connection = load("hbase-rpc-client/lib/connection") as HbaseLibrary["Connection"];
  return { Connection, decodeMeta };
}
