import { setTimeout as sleep } from "node:timers/promises";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { ArchiveDay, ArchiveLead, ArchiveSource } from "@chappe/mesh/ports/archive-source.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import { archiveDay, dueTimeMs, type StepOptions } from "./archive-day.ts";

/** What createArchiver needs. */
export interface ArchiverOptions {
  readonly source: ArchiveSource;
  readonly history: MessageHistory;
  readonly logger: Logger;
  /** Days that the source keeps besides today's; limits.minArchiveAfterDays or more. @default limits.archiveAfterDays */
  readonly afterDays?: number;
  /** Twice the history's flush interval or more. @default limits.archiveGraceMs */
  readonly graceMs?: number;
  /** @default limits.archiveCheckMs */
  readonly checkMs?: number;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
}

/** Figures of an archiver since it started. */
export interface ArchiverStats {
  /** "waiting": another process leads. "paused": something failed, it goes on by itself. */
  readonly state: "starting" | "waiting" | "leading" | "paused" | "closed";
  /** The day in hand, or last in hand, and its step. */
  readonly day: number;
  readonly step: string;
  readonly copiedMessages: number;
  readonly verifiedMessages: number;
  readonly archivedDays: number;
  readonly recopies: number;
  readonly failures: number;
  readonly lastFailure: string;
}

/** Moves closed days from a source to the history until it is closed. */
export interface Archiver {
  stats(): ArchiverStats;
  /** Ends after the page in hand; what it was at goes on where it stood when it, or another one, starts. */
  close(): Promise<void>;
}

const dayMs = 86_400_000;

class RunningArchiver implements Archiver {
  readonly #source: ArchiveSource;
  readonly #history: MessageHistory;
  readonly #logger: Logger;
  readonly #afterDays: number;
  readonly #graceMs: number;
  readonly #checkMs: number;
  readonly #now: () => number;
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #stats: ArchiverStats = {
    ...{ state: "starting", day: 0, step: "", copiedMessages: 0, verifiedMessages: 0 },
    ...{ archivedDays: 0, recopies: 0, failures: 0, lastFailure: "" },
  };

  constructor(options: ArchiverOptions) {
    const { afterDays = limits.archiveAfterDays, graceMs = limits.archiveGraceMs } = options;
    if (afterDays < limits.minArchiveAfterDays)
      throw new ChappeError("INVALID_ARGUMENT", `at least ${limits.minArchiveAfterDays} days stay in the source`);
    this.#source = options.source;
    this.#history = options.history;
    this.#logger = options.logger;
    this.#afterDays = afterDays;
    this.#graceMs = graceMs;
    this.#checkMs = options.checkMs ?? limits.archiveCheckMs;
    this.#now = options.now ?? Date.now;
    this.#running = this.#run();
  }

  stats(): ArchiverStats {
    return this.#stats;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  /** Leads or waits for the lead, with a pause after each failure that grows while nothing goes well. */
  async #run(): Promise<void> {
    let pauseMs: number = limits.archiveRetryMs;
    while (!this.#ending.signal.aborted) {
      const { verifiedMessages, copiedMessages } = this.#stats;
      try {
        const led = await this.#source.lead((lead) => this.#work(lead));
        pauseMs = limits.archiveRetryMs;
        if (led !== undefined) continue;
        this.#note({ state: "waiting" });
        await this.#sleep(this.#checkMs);
      } catch (error) {
        if (this.#ending.signal.aborted) break;
        const moved =
          verifiedMessages !== this.#stats.verifiedMessages || copiedMessages !== this.#stats.copiedMessages;
        if (moved) pauseMs = limits.archiveRetryMs;
        const { message } = error as Error;
        this.#note({ state: "paused", failures: this.#stats.failures + 1, lastFailure: message });
        this.#logger.warn("archive.paused", { error, pauseMs });
        await this.#sleep(pauseMs);
        pauseMs = Math.min(limits.archiveRetryMaxMs, pauseMs * 2);
      }
    }
    this.#note({ state: "closed" });
  }

  async #work(lead: ArchiveLead): Promise<true> {
    const { signal } = this.#ending;
    this.#note({ state: "leading" });
    while (!signal.aborted) {
      const today = Math.floor(this.#now() / dayMs);
      const days = await lead.closedDays(today - this.#afterDays);
      let nextMs = this.#now() + this.#checkMs;
      for (const day of days) {
        if (signal.aborted) break;
        const after = this.#isDue(day) ? await this.#advance(day, lead) : day;
        if (after.step !== "archived") nextMs = Math.min(nextMs, dueTimeMs(after, this.#graceMs));
      }
      await this.#sleep(Math.max(1, nextMs - this.#now()));
    }
    return true;
  }

  /** A day that is damaged stays where it is, for an operator to look at; the others go on. */
  async #advance(day: ArchiveDay, lead: ArchiveLead): Promise<ArchiveDay> {
    try {
      return await archiveDay(day, this.#stepOptions(lead));
    } catch (error) {
      if (!ChappeError.is(error, "CORRUPT")) throw error;
      this.#logger.error("archive.damaged", { day: day.day, error });
      this.#note({ failures: this.#stats.failures + 1, lastFailure: `day ${day.day}: ${error.message}` });
      return { ...day, copiedTimeMs: this.#now() };
    }
  }

  #isDue(day: ArchiveDay): boolean {
    return day.step === "copying" || this.#now() >= dueTimeMs(day, this.#graceMs);
  }

  #stepOptions(lead: ArchiveLead): StepOptions {
    return {
      lead,
      history: this.#history,
      graceMs: this.#graceMs,
      now: this.#now,
      signal: this.#ending.signal,
      onStep: (day) => this.#onStep(day),
      onCopied: (count) => this.#note({ copiedMessages: this.#stats.copiedMessages + count }),
      onVerified: (count) => this.#note({ verifiedMessages: this.#stats.verifiedMessages + count }),
    };
  }

  #onStep({ day, step, messages, recopies }: ArchiveDay): void {
    const { archivedDays } = this.#stats;
    this.#note({ day, step, recopies, archivedDays: archivedDays + (step === "archived" ? 1 : 0) });
    this.#logger.info("archive.step", { day, step, messages, recopies });
  }

  #note(change: Partial<ArchiverStats>): void {
    this.#stats = { ...this.#stats, ...change };
  }

  async #sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }
}

/** Starts an archiver. One of many leads, the others wait for its end. */
export function createArchiver(options: ArchiverOptions): Archiver {
  return new RunningArchiver(options);
}
