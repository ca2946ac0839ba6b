import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { createWindowGuard, type WindowStats } from "@chappe/mesh/hot-window/window-guard.ts";
import { conversationKey } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { HotWindow, RangeBounds } from "@chappe/mesh/ports/hot-window.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import type { MessageRun, MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { RangeFill, type SeqSpan } from "./range-fill.ts";

/** Where messages are. */
export interface Tiers {
  readonly store: MessageStore;
  /** The newest ones of conversations, when there is such a window. */
  readonly window?: HotWindow | undefined;
  /** Those of days that have left the store, when there is such a place. */
  readonly history?: MessageHistory | undefined;
}

/** A range of committed messages. */
export interface RangeWanted extends SeqSpan, RangeBounds {
  readonly conversationId: Uint8Array;
}

/** Figures of the tiers. */
export interface TierStats {
  /** Messages that came from each. */
  readonly windowMessages: number;
  readonly storeMessages: number;
  readonly historyMessages: number;
  /** Reads that were answered together with an equal one. */
  readonly sharedReads: number;
  readonly holes: number;
  readonly historyFailures: number;
  readonly window: WindowStats | undefined;
}

/** Messages by seq, whichever tier has them. */
export interface TieredReads {
  /**
   * What is wanted, in order and without a gap, from the first seq on (`fromEnd`: up to the last), cut to the bounds. The
   * range must be committed: HOLE when no tier has a part of it. HISTORY_UNAVAILABLE when the history is asked for a part
   * and does not answer. A window that fails is passed over.
   */
  readRange(wanted: RangeWanted): Promise<readonly MessageRun[]>;
  stats(): TierStats;
}

type ReadTier = (conversationId: Uint8Array, span: SeqSpan, bounds: RangeBounds) => Promise<readonly MessageRun[]>;

interface Tier {
  readonly read: ReadTier;
  messages: number;
}

/** Asks the history; whatever keeps it from answering is one error, which a client may retry. */
function historyReader(history: MessageHistory, onFailure: () => void): ReadTier {
  return async (conversationId, { fromSeq, toSeq }, bounds) => {
    try {
      return await history.readRange(conversationId, fromSeq, toSeq, bounds);
    } catch (cause) {
      const error = ChappeError.from(cause);
      if (!error.row.retryable) throw error;
      onFailure();
      throw new ChappeError("HISTORY_UNAVAILABLE", undefined, { cause });
    }
  };
}

class MergedTiers implements TieredReads {
  readonly #tiers: Tier[] = [];
  readonly #window: Tier | undefined;
  readonly #store: Tier;
  readonly #history: Tier | undefined;
  readonly #windowStats: () => WindowStats | undefined;
  readonly #shared = new Map<string, Promise<readonly MessageRun[]>>();
  #sharedReads = 0;
  #holes = 0;
  #historyFailures = 0;

  constructor({ store, window, history }: Tiers) {
    const add = (read: ReadTier): Tier => {
      const tier = { read, messages: 0 };
      this.#tiers.push(tier);
      return tier;
    };
    const guard = window && createWindowGuard(window);
    this.#windowStats = () => guard?.stats();
    this.#window = guard && add((id, { fromSeq, toSeq }, bounds) => guard.readRange(id, fromSeq, toSeq, bounds));
    this.#store = add((id, { fromSeq, toSeq }, bounds) => store.readRange(id, fromSeq, toSeq, bounds));
    const onFailure = (): void => {
      this.#historyFailures++;
    };
    this.#history = history && add(historyReader(history, onFailure));
  }

  readRange(wanted: RangeWanted): Promise<readonly MessageRun[]> {
    const { conversationId, fromSeq, toSeq, maxMessages, maxBytes, fromEnd = false } = wanted;
    const key = `${conversationKey(conversationId)}${fromSeq}/${toSeq}/${maxMessages}/${maxBytes}/${fromEnd}`;
    const running = this.#shared.get(key);
    if (running !== undefined) {
      this.#sharedReads++;
      return running;
    }
    const read = this.#read(wanted);
    if (this.#shared.size >= limits.maxSharedReads) return read;
    const shared = read.finally(() => this.#shared.delete(key));
    this.#shared.set(key, shared);
    return shared;
  }

  stats(): TierStats {
    return {
      windowMessages: this.#window?.messages ?? 0,
      storeMessages: this.#store.messages,
      historyMessages: this.#history?.messages ?? 0,
      sharedReads: this.#sharedReads,
      holes: this.#holes,
      historyFailures: this.#historyFailures,
      window: this.#windowStats(),
    };
  }

  async #read({ conversationId, fromSeq, toSeq, ...bounds }: RangeWanted): Promise<readonly MessageRun[]> {
    const fill = new RangeFill({ fromSeq, toSeq }, bounds);
    await this.#fill(fill, conversationId, 0, bounds.fromEnd ? fromSeq : toSeq);
    return fill.finish();
  }

  /** Fills up to `limitSeq` from the tier at `index`, and each of its gaps from those after it. */
  async #fill(fill: RangeFill, conversationId: Uint8Array, index: number, limitSeq: number): Promise<void> {
    if (fill.done || fill.reached(limitSeq)) return;
    const tier = this.#tiers[index];
    if (tier === undefined) {
      this.#holes++;
      throw new ChappeError("HOLE", `seq ${fill.edge} is missing`);
    }
    const ask = () => tier.read(conversationId, fill.wanted(limitSeq), fill.bounds);
    let runs = await ask();
    for (;;) {
      const before = fill.messages;
      const any = fill.take(runs);
      tier.messages += fill.messages - before;
      if (fill.done || fill.reached(limitSeq)) return;
      const gapEnd = fill.gapBefore(runs);
      // A short answer may have been cut by the bytes, or by the engine: it is asked again before the next tier is.
      if (any && gapEnd === undefined) runs = await ask();
      else await this.#fill(fill, conversationId, index + 1, gapEnd ?? limitSeq);
    }
  }
}

/** Reads over the tiers, which stay the caller's to close. */
export function createTieredReads(tiers: Tiers): TieredReads {
  return new MergedTiers(tiers);
}
