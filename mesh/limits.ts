/** Every bound of the project, by name, unit last. Frozen: change one here or by configuration, never in passing. */
export const limits = Object.freeze({
  /** A frame before Hello has succeeded. */
  maxHelloFrameBytes: 4 * 1024,
  /** A frame after it. */
  maxFrameBytes: 64 * 1024,
  /** Packets of one frame. */
  maxPacketsPerFrame: 256,
  /** Calls of one connection without an answer yet. */
  maxCallsInFlightPerConnection: 256,
  /** From accept to a successful Hello. */
  helloTimeoutMs: 5_000,
  /** Clients send a heartbeat at least so often. */
  heartbeatIntervalMs: 30_000,
  /** A connection without any frame for so long is closed. */
  heartbeatTimeoutMs: 75_000,
  /** Frames of one connection, refill per second and burst. */
  framesPerSecondPerConnection: 1_000,
  frameBurstPerConnection: 2_000,
  /** Connections of one process, of one device. */
  maxConnections: 18_500,
  maxConnectionsPerDevice: 8,
  /** Bytes waiting for one slow client: over the first bodies are dropped, over the second it is closed. */
  slowClientDropBytes: 256 * 1024,
  slowClientCloseBytes: 1024 * 1024,
  /** A client that has not read for so long is closed. */
  slowClientMaxAgeMs: 10_000,
  /** Tail rule: conversations remembered per connection, time to the one hint. */
  maxUnackedConversations: 64,
  tailHintMs: 300,
  /** Time of a call when the caller names none, and the most it may name. */
  defaultCallTimeoutMs: 10_000,
  maxCallTimeoutMs: 60_000,
  /** Payload of one HTTP request or response. */
  maxHttpMessageBytes: 1024 * 1024,
  /** Client message ids: how old, how far ahead. */
  maxIdAgeMs: 48 * 3_600_000,
  maxIdAheadMs: 5 * 60_000,
  /** One encoded message content. */
  maxContentBytes: 40 * 1024,
  /** One record of the log. */
  maxRecordBytes: 1024 * 1024,
  maxEntriesPerRecord: 512,
  /** Appends waiting in the log, in all. */
  maxLogQueueBytes: 64 * 1024 * 1024,
  /** Messages waiting in one lane of MsgProxy. */
  maxLaneMessages: 8_192,
  /** Rate of sends of one user, refill per second and burst. */
  sendsPerSecondPerUser: 2_000,
  sendBurstPerUser: 4_000,
  /** One step of the writer: messages sequenced together, steps between sequenced and committed. */
  maxMessagesPerStep: 2_048,
  maxStepsInFlight: 4,
  /** A page of history. */
  maxPageMessages: 200,
  defaultPageMessages: 50,
  maxPageBytes: 512 * 1024,
  /** Members of one group. */
  maxGroupMembers: 2_000,
  /** Receipts are pushed only in conversations with at most so many members. */
  maxReceiptMembers: 64,
  /** Receipts wait so long for company. */
  receiptFlushMs: 100,
  /** Conversations whose members are cached; how old a view may be. */
  maxMembershipViews: 50_000,
  membershipViewMaxAgeMs: 2_000,
  /** Access tokens and refresh tokens. */
  accessTokenTtlMs: 3_600_000,
  refreshTokenTtlMs: 30 * 86_400_000,
  /** Token signatures remembered as good. */
  maxCachedTokens: 50_000,
  /** Password checks at once, and waiting. */
  maxPasswordChecks: 2,
  maxPasswordQueue: 256,
});
