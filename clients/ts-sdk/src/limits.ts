/** Every bound of the client. All can be set in `connect({ limits })`; the names say the unit. */
export interface ClientLimits {
  /** Sends that are not settled yet, over all conversations. Over it `send()` throws OVERLOADED. */
  readonly maxOutboxMessages: number;
  /** Messages of one Send call, and bytes of its encoded request. */
  readonly maxSendMessages: number;
  readonly maxSendBytes: number;
  /** Send calls without an answer, over all conversations. */
  readonly maxSendsInFlight: number;
  /** From the server's ack to the first GetSend when no SendSettled has come. */
  readonly settleTimeoutMs: number;
  /** First wait before GetSend or ListRanges is asked again after NOT_YET; doubles up to retryMaxMs. */
  readonly notYetRetryMs: number;
  /** Backoff of refused calls: full jitter between 0 and base * 2^n, at most max. */
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  /** The longest that a server's word of when to come back is believed. */
  readonly maxRetryAfterMs: number;
  /** Backoff of connections, same rule. */
  readonly reconnectBaseMs: number;
  readonly reconnectMaxMs: number;
  /** A connection that lived so long starts the backoff afresh. */
  readonly stableConnectionMs: number;
  /** From opening the socket to the welcome. */
  readonly connectTimeoutMs: number;
  /** A call that names no time of its own. */
  readonly callTimeoutMs: number;
  /** Calls of one connection without an answer; over it calls fail with OVERLOADED. */
  readonly maxCallsInFlight: number;
  /** Packets of one frame. */
  readonly maxPacketsPerFrame: number;
  /** Largest frame until the welcome names one. */
  readonly maxHelloFrameBytes: number;
  /** A token is refreshed so long before its end, or at 4/5 of its life when that is later. */
  readonly tokenRefreshAheadMs: number;
  /** How long a gap in the pushes is given to close by itself before history is asked. */
  readonly gapHoldMs: number;
  /** Messages held behind gaps, over all conversations; over it they are dropped and pulled again. */
  readonly maxHeldMessages: number;
  /** Messages one iterator has not taken yet; over it nothing more is acknowledged, and it is pulled again later. */
  readonly maxBufferedMessages: number;
  /** Events one iterator has not taken yet; over it the oldest go. */
  readonly maxBufferedEvents: number;
  /** Acknowledgements go out at once, then at most so often. */
  readonly ackIntervalMs: number;
  /** Conversations of one acknowledgement. */
  readonly maxAcksPerPacket: number;
  /** Heads are compared at least so often. */
  readonly headsIntervalMs: number;
  /** Ranges of one ListRanges call. */
  readonly maxRangesPerCall: number;
  /** A conversation whose history cannot be read is tried again after so long. */
  readonly unreadableRetryMs: number;
  /** Sends whose `delivered` and `read` are watched; over it the oldest are watched no more. */
  readonly maxTrackedReceipts: number;
  /** Cursors are saved at most so often. */
  readonly cursorSaveMs: number;
  /** Sends of late, and pushes of one conversation, whose spans the server may want. */
  readonly maxTracedMessages: number;
  /** Spans of one report; a report goes out so long after its first span. */
  readonly maxSpansPerReport: number;
  readonly spanReportMs: number;
}

/** What holds when the application says nothing. */
export const defaultLimits: ClientLimits = Object.freeze({
  maxOutboxMessages: 10_000,
  maxSendMessages: 64,
  maxSendBytes: 48 * 1024,
  maxSendsInFlight: 64,
  settleTimeoutMs: 3_000,
  notYetRetryMs: 50,
  retryBaseMs: 200,
  retryMaxMs: 10_000,
  maxRetryAfterMs: 60_000,
  reconnectBaseMs: 500,
  reconnectMaxMs: 60_000,
  stableConnectionMs: 5_000,
  connectTimeoutMs: 10_000,
  callTimeoutMs: 10_000,
  maxCallsInFlight: 256,
  maxPacketsPerFrame: 256,
  maxHelloFrameBytes: 4 * 1024,
  tokenRefreshAheadMs: 60_000,
  gapHoldMs: 50,
  maxHeldMessages: 10_000,
  maxBufferedMessages: 2_000,
  maxBufferedEvents: 1_000,
  ackIntervalMs: 100,
  maxAcksPerPacket: 64,
  headsIntervalMs: 300_000,
  maxRangesPerCall: 64,
  unreadableRetryMs: 30_000,
  maxTrackedReceipts: 10_000,
  cursorSaveMs: 200,
  maxTracedMessages: 256,
  maxSpansPerReport: 256,
  spanReportMs: 1_000,
});
