import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";

/** What startSendExpiry needs. */
export interface SendExpiryOptions {
  readonly store: Pick<MessageStore, "expireSends">;
  readonly logger: Logger;
  /** Dedupe rows are kept so long after the time in their id. @default limits.sendRowsKeptMs */
  readonly keptMs?: number;
  /** @default limits.sendExpiryIntervalMs */
  readonly intervalMs?: number;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
}

/**
 * Forgets dedupe rows that no resend can need: older than any id that MsgProxy takes and than any record that the log
 * could replay. One run at a time; a failed one is made up for by the next.
 */
export function startSendExpiry(options: SendExpiryOptions): { close(): Promise<void> } {
  const { store, logger, now = Date.now } = options;
  const { keptMs = limits.sendRowsKeptMs, intervalMs = limits.sendExpiryIntervalMs } = options;
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    try {
      const rows = await store.expireSends(now() - keptMs);
      if (rows > 0) logger.info("sends.expired", { rows });
    } catch (error) {
      logger.warn("sends.not-expired", { error });
    }
    running = undefined;
  };
  const timer = setInterval(() => {
    running ??= run();
  }, intervalMs);
  timer.unref();
  return {
    async close() {
      clearInterval(timer);
      await running;
    },
  };
}
