import { partitionOfChange, readChange, sessionPartition } from "@chappe/mesh/changes/read-change.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { BusinessStore, OutboxRow } from "@chappe/mesh/ports/business-store.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";

/** What createOutboxRelay needs. */
export interface OutboxRelayOptions {
  readonly store: Pick<BusinessStore, "outbox" | "deleteOutbox">;
  readonly log: Pick<Log, "append" | "partitions">;
  readonly logger: Logger;
  /** How often it looks for rows that nobody told it of. @default limits.outboxPollMs */
  readonly pollMs?: number;
}

/** Figures of a relay. */
export interface OutboxRelayStats {
  /** Rows that it has brought to the log, repeated ones included. */
  readonly relayed: number;
  /** Times that the store or the log did not take part. */
  readonly failures: number;
}

/** Brings changes from the outbox to the log. */
export interface OutboxRelay {
  /** There is something in the outbox: look now. */
  wake(): void;
  stats(): OutboxRelayStats;
  /** Waits for the pass in hand; what is in the outbox stays for the next relay. */
  close(): Promise<void>;
}

class Relay implements OutboxRelay {
  readonly #options: OutboxRelayOptions;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #isDue = false;
  #closed = false;
  #relayed = 0;
  #failures = 0;

  constructor(options: OutboxRelayOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.wake(), options.pollMs ?? limits.outboxPollMs);
    this.wake();
  }

  wake(): void {
    if (this.#closed) return;
    this.#isDue = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  stats(): OutboxRelayStats {
    return { relayed: this.#relayed, failures: this.#failures };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#isDue && !this.#closed) {
        this.#isDue = false;
        const rows = await this.#options.store.outbox(limits.maxOutboxRows);
        await this.#relay(rows);
        if (rows.length === limits.maxOutboxRows) this.#isDue = true;
      }
    } catch (error) {
      // The timer comes back to it.
      this.#failures++;
      this.#options.logger.warn("outbox.not-relayed", { error });
    }
  }

  /** A row leaves the outbox only when the log has it: a crash in between repeats it, and so does another relay. */
  async #relay(rows: readonly OutboxRow[]): Promise<void> {
    const { log, store } = this.#options;
    const appended = await Promise.allSettled(
      rows.map(({ body }) => log.append("changes", partitionOf(body, log.partitions), body)),
    );
    const done = rows.filter((_, index) => appended[index]!.status === "fulfilled").map(({ id }) => id);
    this.#relayed += done.length;
    if (done.length > 0) await store.deleteOutbox(done);
    const failed = appended.find((one) => one.status === "rejected");
    if (failed !== undefined) throw ChappeError.from(failed.reason);
  }
}

/** What cannot be read goes on as it is: readers report it, and the outbox does not fill up with it. */
function partitionOf(body: Uint8Array, partitions: number): number {
  try {
    return partitionOfChange(readChange(body), partitions);
  } catch {
    return sessionPartition;
  }
}

/**
 * Starts a relay. Each process that writes changes has one: told of a change it brings it to the log at once, and now
 * and then it looks for what another one left. Several may bring the same row, and one that was stalled an old one:
 * readers go by the version.
 */
export function createOutboxRelay(options: OutboxRelayOptions): OutboxRelay {
  return new Relay(options);
}
