import { ChappeError } from "../../errors/chappe-error.ts";
import { conversationKey } from "../../ids/conversation-id.ts";
import { limits } from "../../limits.ts";
import type { HotWindow, HotWindowBounds, RangeBounds } from "../../ports/hot-window.ts";
import type { MessageRun } from "../../ports/message-store.ts";
import { cutRuns } from "../cut-runs.ts";
import { type BlockBounds, blockBoundsOf, defaultWindowBounds, windowBlocks } from "../window-blocks.ts";

/** What the engine may be told. */
export interface MemoryHotWindowOptions {
  /** @default those of mesh/limits.ts */
  readonly bounds?: HotWindowBounds;
  /** All conversations together; the one that was added to longest ago goes first. @default limits.maxMemoryWindowBytes */
  readonly maxTotalBytes?: number;
  /** @default Date.now */
  readonly now?: () => number;
}

interface Block {
  readonly run: MessageRun;
  /** When its newest message came. */
  readonly timeMs: number;
}

interface Window {
  readonly blocks: Block[];
  messages: number;
  bytes: number;
}

const lastSeq = ({ firstSeq, count }: MessageRun): number => firstSeq + count - 1;
const hiOf = ({ blocks }: Window): number => lastSeq(blocks.at(-1)!.run);

/** The window of one process. */
class MemoryHotWindow implements HotWindow {
  readonly #bounds: HotWindowBounds;
  readonly #block: BlockBounds;
  readonly #maxTotalBytes: number;
  readonly #now: () => number;
  /** In the order of their newest append. */
  readonly #windows = new Map<string, Window>();
  #bytes = 0;
  #closed = false;

  constructor(options: MemoryHotWindowOptions) {
    this.#bounds = options.bounds ?? defaultWindowBounds;
    this.#block = blockBoundsOf(this.#bounds);
    this.#maxTotalBytes = options.maxTotalBytes ?? limits.maxMemoryWindowBytes;
    this.#now = options.now ?? Date.now;
  }

  async append(runs: readonly MessageRun[]): Promise<void> {
    this.#assertOpen();
    for (const run of runs) this.#append(run);
  }

  async readRange(
    conversationId: Uint8Array,
    fromSeq: number,
    toSeq: number,
    bounds: RangeBounds,
  ): Promise<readonly MessageRun[]> {
    this.#assertOpen();
    const key = conversationKey(conversationId);
    const window = this.#windows.get(key);
    if (window === undefined) return [];
    if (window.blocks.at(-1)!.timeMs <= this.#now() - this.#bounds.maxAgeMs) {
      this.#forget(key, window);
      return [];
    }
    const runs = window.blocks.map(({ run }) => run);
    return cutRuns(runs, { ...bounds, fromSeq, toSeq });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#windows.clear();
  }

  #assertOpen(): void {
    if (this.#closed) throw new ChappeError("UNAVAILABLE");
  }

  #append(run: MessageRun): void {
    const key = conversationKey(run.conversationId);
    let window = this.#windows.get(key);
    for (const block of windowBlocks(run, this.#bounds, this.#block)) {
      if (window !== undefined && block.firstSeq > hiOf(window) + 1) {
        this.#forget(key, window);
        window = undefined;
      }
      const held: Window = window ?? { blocks: [], messages: 0, bytes: 0 };
      const fromSeq = window === undefined ? block.firstSeq : hiOf(held) + 1;
      const all = { maxMessages: block.count, maxBytes: block.bytes.length, toSeq: Number.MAX_SAFE_INTEGER };
      for (const rest of cutRuns([block], { ...all, fromSeq })) this.#add(held, rest);
      window = held;
    }
    if (window === undefined) return;
    this.#trim(window);
    this.#windows.delete(key);
    this.#windows.set(key, window);
    this.#makeRoom();
  }

  #add(window: Window, run: MessageRun): void {
    const timeMs = this.#now();
    const tail = window.blocks.at(-1)?.run;
    const { mergeMessages, mergeBytes } = this.#block;
    const count = (tail?.count ?? 0) + run.count;
    const length = (tail?.bytes.length ?? 0) + run.bytes.length;
    if (tail !== undefined && count <= mergeMessages && length <= mergeBytes) {
      const merged = { ...tail, count, bytes: Buffer.concat([tail.bytes, run.bytes]) };
      window.blocks[window.blocks.length - 1] = { run: merged, timeMs };
    } else window.blocks.push({ run: { ...run, bytes: new Uint8Array(run.bytes) }, timeMs });
    window.messages += run.count;
    window.bytes += run.bytes.length;
    this.#bytes += run.bytes.length;
  }

  #trim(window: Window): void {
    const { maxMessages, maxBytes, maxAgeMs } = this.#bounds;
    const oldestMs = this.#now() - maxAgeMs;
    const { blocks } = window;
    while (blocks.length > 1) {
      const { run, timeMs } = blocks[0]!;
      if (window.messages <= maxMessages && window.bytes <= maxBytes && timeMs > oldestMs) return;
      blocks.shift();
      window.messages -= run.count;
      window.bytes -= run.bytes.length;
      this.#bytes -= run.bytes.length;
    }
  }

  #forget(key: string, window: Window): void {
    this.#windows.delete(key);
    this.#bytes -= window.bytes;
  }

  #makeRoom(): void {
    for (const [key, window] of this.#windows) {
      if (this.#bytes <= this.#maxTotalBytes || this.#windows.size === 1) return;
      this.#forget(key, window);
    }
  }
}

/** A hot window in the memory of this process. */
export function createMemoryHotWindow(options: MemoryHotWindowOptions = {}): HotWindow {
  return new MemoryHotWindow(options);
}
