import { encodeBinaryFrame } from "./websocket-frame.ts";

/** What the flusher needs of a connection. */
export interface FlushTarget {
  /** Encoded packets waiting, each with its tag and length. */
  chunks: Uint8Array[];
  /** Takes one complete frame. */
  write(frame: Buffer): void;
}

/** Sends what connections have gathered in one turn of the event loop as one frame each. */
export interface OutboxFlusher {
  /** The target is flushed at the end of this turn. Call it when its first chunk is added. */
  schedule(target: FlushTarget): void;
  /** Flushes one target now. */
  flush(target: FlushTarget): void;
}

const same = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
  a.length === b.length && a.every((chunk, index) => chunk === b[index]);

/** A flusher for the connections of one process. */
export function createOutboxFlusher(): OutboxFlusher {
  let dirty: FlushTarget[] = [];

  const flushAll = (): void => {
    const targets = dirty;
    dirty = [];
    let lastChunks: readonly Uint8Array[] = [];
    let lastFrame: Buffer | undefined;
    for (const target of targets) {
      const { chunks } = target;
      if (chunks.length === 0) continue;
      target.chunks = [];
      // In a fan-out neighbours have the very same chunks: their frame is built once.
      if (lastFrame === undefined || !same(chunks, lastChunks)) {
        lastChunks = chunks;
        lastFrame = encodeBinaryFrame(chunks);
      }
      target.write(lastFrame);
    }
  };

  return {
    schedule(target) {
      if (dirty.length === 0) setImmediate(flushAll);
      dirty.push(target);
    },
    flush(target) {
      const { chunks } = target;
      if (chunks.length === 0) return;
      target.chunks = [];
      target.write(encodeBinaryFrame(chunks));
    },
  };
}
