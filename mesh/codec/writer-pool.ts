import { limits } from "../limits.ts";
import { ByteWriter } from "./byte-writer.ts";

/** Bounds of a pool. */
export interface WriterPoolOptions {
  /** Idle writers kept. @default limits.maxPooledWriters */
  readonly maxWriters?: number;
  /** A writer that has grown beyond this is not kept. @default limits.maxPooledWriterBytes */
  readonly maxWriterBytes?: number;
}

/** Keeps writers whose buffers have already grown. */
export interface WriterPool {
  /** An empty writer. */
  take(): ByteWriter;
  /** Takes a writer back. Its views, and the writer itself, must not be used any more. */
  give(writer: ByteWriter): void;
}

/** A pool for one event loop. Taking never fails: when no writer is idle a new one is made. */
export function createWriterPool(options: WriterPoolOptions = {}): WriterPool {
  const { maxWriters = limits.maxPooledWriters, maxWriterBytes = limits.maxPooledWriterBytes } = options;
  const idle: ByteWriter[] = [];
  return {
    take: () => idle.pop() ?? new ByteWriter(),
    give(writer) {
      writer.reset();
      // A writer given back twice would later serve two callers at once.
      if (idle.length < maxWriters && writer.capacityBytes <= maxWriterBytes && !idle.includes(writer)) {
        idle.push(writer);
      }
    },
  };
}
