import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { conversationIdBytes, conversationIdOfKey, conversationKey } from "@chappe/mesh/ids/conversation-id.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { HotWindow } from "@chappe/mesh/ports/hot-window.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { compareTiers, type Difference, type Tiers } from "./compare-tiers.ts";
import { type LoggedSend, type LogTail, readLogTail } from "./log-tail.ts";
import {
  readTier,
  sentOf,
  summarise,
  type TierName,
  type TierRow,
  type TierRows,
  type TierSummary,
} from "./tier-rows.ts";

/** What reconcile needs. */
export interface ReconcileOptions {
  readonly log: Log;
  readonly store: MessageStore;
  readonly window?: HotWindow | undefined;
  readonly history?: MessageHistory | undefined;
  readonly logger: Logger;
  /** Conversations to look at. @default limits.reconcileSample */
  readonly sample?: number;
  /** Newest messages of each. @default limits.maxReconcileMessages */
  readonly maxMessages?: number;
}

/** A conversation whose tiers differ. */
export interface Incident {
  /** Hex. */
  readonly conversation: string;
  readonly tiers: readonly TierName[];
  readonly summaries: Readonly<Partial<Record<TierName, TierSummary>>>;
  /** The first of them. */
  readonly differences: readonly Difference[];
}

/** What a run found. */
export interface ReconcileResult {
  readonly conversations: number;
  /** Messages read, by tier. */
  readonly messages: Readonly<Partial<Record<TierName, number>>>;
  readonly incidents: readonly Incident[];
}

const shownDifferences = 10;

/** Half of the sample from the end of the log, where something happens, half from anywhere. */
async function chooseSample(store: MessageStore, tail: LogTail, size: number): Promise<readonly Uint8Array[]> {
  const chosen = new Map<string, Uint8Array>();
  const recent = [...tail.keys()];
  for (let left = Math.ceil(size / 2); left > 0 && recent.length > 0; left--) {
    const [key] = recent.splice(Math.floor(Math.random() * recent.length), 1);
    chosen.set(key!, conversationIdOfKey(key!));
  }
  for (let tries = size; tries > 0 && chosen.size < size; tries--) {
    for (const id of await store.conversationsFrom(new Uint8Array(randomBytes(conversationIdBytes)), 1))
      chosen.set(conversationKey(id), id);
  }
  // Few conversations: random places seldom hit the first ones.
  const first = await store.conversationsFrom(new Uint8Array(conversationIdBytes), size);
  for (const id of first) if (chosen.size < size) chosen.set(conversationKey(id), id);
  return [...chosen.values()];
}

class Reconciler {
  readonly #options: ReconcileOptions;
  readonly #tail: LogTail;

  constructor(options: ReconcileOptions, tail: LogTail) {
    this.#options = options;
    this.#tail = tail;
  }

  async check(conversationId: Uint8Array): Promise<{ incident: Incident | undefined; tiers: Tiers }> {
    const { store, maxMessages = limits.maxReconcileMessages } = this.#options;
    const [headSeq = 0] = await store.heads([conversationId]);
    const fromSeq = Math.max(1, headSeq - maxMessages + 1);
    const { tiers, unsettled } = await this.#read(conversationId, fromSeq, headSeq);
    const differences = [...unsettled, ...compareTiers(tiers, fromSeq, headSeq)];
    if (differences.length === 0) return { incident: undefined, tiers };
    const present = Object.entries(tiers).filter((entry): entry is [TierName, TierRows] => entry[1] !== undefined);
    const incident: Incident = {
      conversation: Buffer.from(conversationId).toString("hex"),
      tiers: [...new Set(differences.flatMap((difference) => difference.tiers))],
      summaries: Object.fromEntries(present.map(([name, rows]) => [name, summarise(rows)])),
      differences: differences.slice(0, shownDifferences),
    };
    return { incident, tiers };
  }

  /** The store before history: a day that is dropped in between was copied before. */
  async #read(conversationId: Uint8Array, fromSeq: number, headSeq: number) {
    const { store, window, history } = this.#options;
    const inStore = await readTier(store, conversationId, fromSeq, headSeq);
    const inWindow = window && (await readTier(window, conversationId, fromSeq, headSeq));
    const inHistory = history && (await readTier(history, conversationId, fromSeq, headSeq));
    const { rows, unsettled } = await this.#onLog(conversationId, fromSeq);
    return { tiers: { log: rows, store: inStore, window: inWindow, history: inHistory } satisfies Tiers, unsettled };
  }

  /** The log knows ids; the seq of each is what the store settled it with. */
  async #onLog(conversationId: Uint8Array, fromSeq: number) {
    const sends = this.#tail.get(conversationKey(conversationId)) ?? [];
    const settled = await this.#settled(sends);
    const rows = new Map<number, TierRow>();
    const unsettled: Difference[] = [];
    for (const [index, { senderId, clientMessageId, digest }] of sends.entries()) {
      const row = settled[index];
      if (row === undefined) unsettled.push({ tiers: ["store", "log"], seq: 0, what: "missing" });
      // A repeated id with another body lost against the first one.
      else if (row.seq >= fromSeq && (digest === undefined || digest === row.digest))
        rows.set(row.seq, { seq: row.seq, sent: sentOf(senderId, clientMessageId), digest });
    }
    return { rows, unsettled };
  }

  async #settled(sends: readonly LoggedSend[]) {
    const rows = [];
    for (let at = 0; at < sends.length; at += limits.maxPageMessages)
      rows.push(...(await this.#options.store.findSends(sends.slice(at, at + limits.maxPageMessages))));
    return rows;
  }
}

/**
 * Compares sampled conversations over all tiers: what is committed must be in the store or in history, and whatever
 * tiers hold of it must be the same. Each incident is logged as an error. Beside running writers it looks only at what
 * was committed when it began, and twice before it says that something differs.
 */
export async function reconcile(options: ReconcileOptions): Promise<ReconcileResult> {
  const { log, store, logger, sample = limits.reconcileSample } = options;
  const partitions = Array.from({ length: log.partitions }, (_, partition) => partition);
  const progress = await store.progress(partitions);
  const ends = new Map([...progress].map(([partition, { nextOffset }]) => [partition, nextOffset]));
  const { maxReconcileRecords: maxRecords, reconcileLogMs: timeoutMs } = limits;
  const tail = await readLogTail({ log, ends, maxRecords, timeoutMs });
  const reconciler = new Reconciler(options, tail);
  const messages: Partial<Record<TierName, number>> = {};
  const incidents: Incident[] = [];
  const conversations = await chooseSample(store, tail, sample);
  for (const id of conversations) {
    let { incident, tiers } = await reconciler.check(id);
    if (incident !== undefined) {
      await sleep(limits.reconcileAgainMs);
      ({ incident, tiers } = await reconciler.check(id));
    }
    for (const [name, rows] of Object.entries(tiers) as [TierName, TierRows | undefined][])
      if (rows !== undefined) messages[name] = (messages[name] ?? 0) + rows.size;
    if (incident === undefined) continue;
    incidents.push(incident);
    logger.error("reconcile.difference", { ...incident });
  }
  return { conversations: conversations.length, messages, incidents };
}
