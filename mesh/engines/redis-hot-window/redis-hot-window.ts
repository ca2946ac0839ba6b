import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { HotWindow, HotWindowBounds, RangeBounds } from "../../ports/hot-window.ts";
import type { MessageRun } from "../../ports/message-store.ts";
import { cutRuns } from "../cut-runs.ts";
import { openRedis, type RedisClient, redisCall } from "../redis/open-redis.ts";
import { type BlockBounds, blockBoundsOf, defaultWindowBounds, windowBlocks } from "../window-blocks.ts";
import { hotWindowScripts } from "./hot-window-scripts.ts";

/** What createRedisHotWindow needs. */
export interface RedisHotWindowOptions {
  /** "host:port" each; more than one = a cluster. */
  readonly addresses: readonly string[];
  readonly password?: string;
  /**
   * Names the data that the messages belong to: a window that outlives its store must not serve another one. Letters,
   * digits and dashes. @default "": one store for ever
   */
  readonly dataId?: string;
  /** @default those of mesh/limits.ts */
  readonly bounds?: HotWindowBounds;
  /** A call that takes longer is UNAVAILABLE. @default limits.hotWindowTimeoutMs */
  readonly timeoutMs?: number;
  /** By which ages are counted. @default Date.now */
  readonly now?: () => number;
}

type Argument = number | string | Buffer;
type Scripted = RedisClient & {
  windowAppend(...args: Argument[]): Promise<number>;
  windowReadBuffer(...args: Argument[]): Promise<Buffer[]>;
};

const blockHeadBytes = 20;
const highWord = 0x1_0000_0000;

const bufferOf = ({ buffer, byteOffset, length }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, length);

const runOf = (conversationId: Uint8Array, block: Buffer): MessageRun => ({
  conversationId,
  firstSeq: block.readUInt32BE(0) * highWord + block.readUInt32BE(4),
  count: block.readUInt32BE(8),
  bytes: block.subarray(blockHeadBytes),
});

/** The window in Redis: one script a run, and the scripts of one call leave as one pipeline a node. */
class RedisHotWindow implements HotWindow {
  readonly #redis: Scripted;
  readonly #dataId: string;
  readonly #bounds: HotWindowBounds;
  readonly #block: BlockBounds;
  readonly #timeoutMs: number;
  readonly #now: () => number;

  constructor(options: RedisHotWindowOptions) {
    const { addresses, password, bounds = defaultWindowBounds, timeoutMs = limits.hotWindowTimeoutMs } = options;
    const redis = openRedis(addresses, password);
    for (const [name, script] of Object.entries(hotWindowScripts)) redis.defineCommand(name, script);
    this.#redis = redis as Scripted;
    this.#dataId = options.dataId ?? "";
    this.#bounds = bounds;
    this.#block = blockBoundsOf(bounds);
    this.#timeoutMs = timeoutMs;
    this.#now = options.now ?? Date.now;
  }

  async append(runs: readonly MessageRun[]): Promise<void> {
    if (runs.length === 0) return;
    await this.#inTime(() => Promise.all(runs.map((run) => this.#append(run))));
  }

  async readRange(
    conversationId: Uint8Array,
    fromSeq: number,
    toSeq: number,
    bounds: RangeBounds,
  ): Promise<readonly MessageRun[]> {
    if (fromSeq > toSeq) return [];
    const { maxMessages, maxBytes, fromEnd = false } = bounds;
    const args = [Math.max(1, fromSeq), toSeq, maxMessages, maxBytes, fromEnd ? 1 : 0];
    const blocks = await this.#inTime(() => this.#redis.windowReadBuffer(this.#keyOf(conversationId), ...args));
    const runs = blocks.map((block) => runOf(conversationId, block));
    return cutRuns(fromEnd ? runs.reverse() : runs, { ...bounds, fromSeq, toSeq });
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
  }

  /** One slot a conversation, so that its script runs on one node. */
  #keyOf(conversationId: Uint8Array): string {
    return `chappe:window:${this.#dataId}:{${Buffer.from(conversationId).toString("hex")}}`;
  }

  #append(run: MessageRun): Promise<number> {
    const { maxMessages, maxBytes, maxAgeMs } = this.#bounds;
    const { mergeMessages, mergeBytes } = this.#block;
    const nowMs = this.#now();
    const args: Argument[] = [nowMs, nowMs - maxAgeMs, maxAgeMs, maxMessages, maxBytes, mergeMessages, mergeBytes];
    for (const block of windowBlocks(run, this.#bounds, this.#block))
      args.push(block.firstSeq, block.count, bufferOf(block.bytes));
    return this.#redis.windowAppend(this.#keyOf(run.conversationId), ...args);
  }

  /**
   * Nothing is asked of a Redis that is not connected: the client would keep it until it is. What takes too long may
   * still be tried, as long as a command's timeout, and is harmless.
   */
  async #inTime<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#redis.status !== "ready") throw new ChappeError("UNAVAILABLE", "Redis is not connected.");
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const refuse = (): void => reject(new ChappeError("UNAVAILABLE", "Redis did not do it in time."));
      timer = setTimeout(refuse, this.#timeoutMs);
    });
    try {
      return await Promise.race([redisCall(ask()), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A hot window on one Redis server or a Redis Cluster. Connects in the background. */
export function createRedisHotWindow(options: RedisHotWindowOptions): HotWindow {
  return new RedisHotWindow(options);
}
