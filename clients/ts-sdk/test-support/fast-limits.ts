import type { ClientLimits } from "../src/limits.ts";

/** Bounds that make faults cost milliseconds. */
export const fastLimits: Partial<ClientLimits> = {
  gapHoldMs: 3,
  ackIntervalMs: 2,
  settleTimeoutMs: 15,
  notYetRetryMs: 2,
  retryBaseMs: 2,
  retryMaxMs: 10,
  reconnectBaseMs: 2,
  reconnectMaxMs: 10,
  callTimeoutMs: 100,
  connectTimeoutMs: 500,
  cursorSaveMs: 1,
};
