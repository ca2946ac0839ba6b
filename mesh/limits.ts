import { changeLimits } from "./limits/change-limits.ts";
import { historyLimits } from "./limits/history-limits.ts";
import { hotWindowLimits } from "./limits/hot-window-limits.ts";
import { proxyLimits } from "./limits/proxy-limits.ts";
import { telemetryLimits } from "./limits/telemetry-limits.ts";
import { udpLimits } from "./limits/udp-limits.ts";

/** Every bound of the project, by name, unit last. Frozen: change one here or by configuration, never in passing. */
export const limits = Object.freeze({
  ...changeLimits,
  ...hotWindowLimits,
  ...telemetryLimits,
  ...udpLimits,
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
  /** Device policy among processes: reviews at once and waiting, sessions of a user that a process names. */
  maxDeviceReviews: 64,
  maxWaitingDeviceReviews: 20_000,
  maxListedSessions: 256,
  /** Other processes that one review names. */
  maxReviewedLogins: 256,
  /** Batches of begun sessions whose company Online looks up and tells of at once. */
  maxReviewCalls: 256,
  /** Connections of one Kick. */
  maxKicksPerCall: 1_000,
  /** Bytes waiting for one slow client: over the first bodies are dropped, over the second it is closed. */
  slowClientDropBytes: 256 * 1024,
  slowClientCloseBytes: 1024 * 1024,
  /** A client that has not read for so long is closed. */
  slowClientMaxAgeMs: 10_000,
  /** Tail rule: conversations remembered per connection, time to the one hint. */
  maxUnackedConversations: 64,
  tailHintMs: 300,
  /** Lease of a Login process on its presence entries; a renewal each; the whole table is announced again so often. */
  presenceLeaseTtlMs: 10_000,
  presenceLeaseRenewMs: 3_000,
  presenceAnnounceMs: 600_000,
  /** Sessions of one presence call; registrations waiting for one. */
  maxSessionsPerBatch: 500,
  maxWaitingRegistrations: 20_000,
  /** Presence changes wait so long for company. */
  presenceFlushMs: 200,
  /** Users whose presence one connection watches, and all connections of a process. */
  maxWatchedUsersPerConnection: 500,
  maxPresenceWatches: 1_000_000,
  /** Positions of one ReportDelivered call, and waiting for one; beyond that receipts are lost. */
  maxReceiptsPerCall: 5_000,
  maxWaitingReceipts: 50_000,
  /** From the notice that the server goes down to the close of its connections. */
  drainWindowMs: 5_000,
  /** Drained clients come back spread over so long. */
  drainReconnectSpreadMs: 10_000,
  /** A connection that does not answer the close is cut after so long. */
  closeTimeoutMs: 5_000,
  /** WebSocket fragments of one message. */
  maxFragmentsPerMessage: 64,
  /** WebSocket pings answered and not yet taken by the network; over the burst of frames, so that its close code comes first. */
  maxPendingPongs: 2_048,
  /** Pieces in which one WebSocket message may trickle in. */
  maxChunksPerMessage: 1_024,
  /** Links: a frame goes out once it has so many bytes, at the end of the turn otherwise; what one may hold. */
  linkFrameBytes: 64 * 1024,
  maxLinkFrameBytes: 64 * 1024 * 1024,
  maxLinkPacketsPerFrame: 65_536,
  /** Links: calls and bytes without an answer, bytes that the stream has not taken, calls of the other end in hand. */
  maxLinkCallsInFlight: 65_536,
  maxLinkBytesInFlight: 64 * 1024 * 1024,
  maxLinkWaitingBytes: 16 * 1024 * 1024,
  maxLinkCallsInHand: 65_536,
  /** Links: HTTP/2 window; links of one process. */
  linkWindowBytes: 4 * 1024 * 1024,
  maxLinks: 4_096,
  /** Links: a sign of life so often, the end after such a silence, how often that is looked at. */
  linkHeartbeatMs: 1_000,
  linkSilenceMs: 3_000,
  linkTickMs: 250,
  /** A delivery to another process waits so long for its answer; a session without one in time counts as gone. */
  deliverTimeoutMs: 1_000,
  /** How long a question for revocations waits for the next one; the pause after a failed one. */
  revocationWaitMs: 20_000,
  revocationRetryMs: 200,
  /** Sessions whose state is asked for at once after revocations may have been missed. */
  maxSessionRechecks: 32,
  /** A process without any Route gives up its start after so long. */
  routeWaitMs: 30_000,
  /** Redis: time of a connection attempt and of a command; wait between attempts, first and most; age of the slot table. */
  redisTimeoutMs: 2_000,
  redisRetryMs: 50,
  redisRetryMaxMs: 500,
  redisSlotsRefreshMs: 5_000,
  /** Presence in Redis: lapsed leases are looked for so often; one process at a time clears up; entries nobody announced. */
  presenceSweepMs: 1_000,
  presenceSweepLockMs: 2_000,
  presenceGarbageMs: 1_800_000,
  /** Login processes whose leases a reader asks for in advance. */
  maxKnownLogins: 4_096,
  /** MySQL: a connection attempt, one statement, a wait for a lock, an idle session. */
  mysqlConnectTimeoutMs: 5_000,
  mysqlStatementTimeoutMs: 15_000,
  mysqlLockWaitMs: 5_000,
  mysqlSessionIdleMs: 60_000,
  /** MySQL: an owner of partitions that stands still in a transaction keeps its locks so long: no longer than they are its own. */
  mysqlOwnerIdleMs: 6_000,
  /** MySQL: connections of one store, callers waiting for one, how long closing waits for those in use. */
  maxMysqlConnections: 8,
  maxMysqlWaiting: 1_024,
  mysqlCloseTimeoutMs: 5_000,
  /** MySQL: one packet of statements (its max_allowed_packet is 16 MiB or more), rows of one of them. */
  maxMysqlPacketBytes: 1024 * 1024,
  maxMysqlRowsPerStatement: 1_000,
  /** MySQL: a transaction that lost a deadlock is tried again so often; a commit of unknown outcome is settled for so long. */
  maxMysqlDeadlockRetries: 5,
  mysqlRetryMs: 10,
  mysqlRetryMaxMs: 500,
  mysqlSettleMs: 10_000,
  /** MySQL: messages and bytes of one stored run, runs and ids of one read, dedupe rows of one delete. */
  maxMysqlRunMessages: 256,
  maxMysqlRunBytes: 64 * 1024,
  maxMysqlRunsPerRead: 64,
  maxMysqlIdsPerRead: 4_096,
  maxMysqlRowsPerDelete: 2_000,
  /** MySQL: partitions are made for so many days ahead; looked at so often. A migration waits so long for another one. */
  mysqlDaysAhead: 7,
  mysqlDayCheckMs: 3_600_000,
  mysqlMigrateWaitMs: 60_000,
  ...historyLimits,
  /** Kafka: an attempt to connect, one request, one append with its repetitions, what a broker has for one produce. */
  kafkaConnectTimeoutMs: 3_000,
  kafkaRequestTimeoutMs: 10_000,
  kafkaAppendTimeoutMs: 15_000,
  kafkaProduceTimeoutMs: 5_000,
  /** Kafka: a new topic has leaders after so long; tries of other requests, and the waits between them. */
  kafkaTopicWaitMs: 10_000,
  maxKafkaRetries: 5,
  kafkaRetryMs: 100,
  kafkaRetryMaxMs: 1_000,
  /** Kafka: how long a partition without a leader is asked for again, as after a start or the death of a broker. */
  kafkaLeaderWaitMs: 20_000,
  /** Kafka: bytes and records of one partition in one produce, bytes of one fetch and how long it waits for the first. */
  maxKafkaProduceBytes: 1024 * 1024,
  maxKafkaProduceRecords: 512,
  maxKafkaFetchBytes: 4 * 1024 * 1024,
  kafkaFetchWaitMs: 500,
  /** Kafka: fetches in a row from another place than the next record, before it is looked up why. */
  maxKafkaMisplacedFetches: 16,
  /** Kafka: a reader that is silent for so long loses its partitions; a rebalance takes at most so long. */
  kafkaSessionTimeoutMs: 6_000,
  kafkaHeartbeatMs: 1_500,
  kafkaRebalanceTimeoutMs: 6_000,
  /** Kafka: offsets of readers are remembered so often; topics keep records so long. */
  kafkaCommitMs: 1_000,
  kafkaRetentionMs: 7 * 86_400_000,
  /** An entry of the Directory outlives its process by so much. */
  directoryTtlMs: 3_000,
  /** Links: an attempt may take so long; the wait between attempts grows from the first to the second. */
  linkOpenTimeoutMs: 3_000,
  linkRedialMs: 50,
  linkRedialMaxMs: 1_000,
  /** Links: a proof is good for so long around its time, so clocks may differ by that much. */
  linkProofAgeMs: 300_000,
  /** Files of certificates are looked at so often. */
  tlsFileRefreshMs: 30_000,
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
  /** Bytes kept of what could not be read, in the dead-letter log; and of that log in one partition of Kafka. */
  maxDeadLetterBytes: 1024 * 1024 - 4_096,
  kafkaDeadLetterBytes: 64 * 1024 * 1024,
  /** A push payload of so many bytes takes no further message. */
  maxPushPayloadBytes: 48 * 1024,
  /** Appends waiting in the log, in all. */
  maxLogQueueBytes: 64 * 1024 * 1024,
  /** Partitions of a new embedded log: one disk and one writer behind them all, so few and full records cost least. */
  logPartitions: 4,
  /** The log's journal: one write, one file, distance of index entries, newest groups kept in memory. */
  maxLogGroupBytes: 4 * 1024 * 1024,
  logSegmentBytes: 64 * 1024 * 1024,
  logIndexIntervalBytes: 256 * 1024,
  logTailBytes: 16 * 1024 * 1024,
  /** One call of a log consumer, and one read of a journal file. */
  maxLogBatchRecords: 512,
  maxLogBatchBytes: 2 * 1024 * 1024,
  logReadChunkBytes: 1024 * 1024,
  /** How long the log keeps records that every group has committed past, and how often it looks. */
  logRetentionMs: 7 * 86_400_000,
  logRetentionCheckMs: 60_000,
  /** Free disk space the log leaves alone, and how often it looks. */
  logMinFreeBytes: 64 * 1024 * 1024,
  logDiskCheckMs: 500,
  /** Committed offsets are in the journal after at most so long. */
  logOffsetsDelayMs: 500,
  /** First and longest wait before rejected records are handed over again. */
  logRedeliveryMs: 20,
  maxLogRedeliveryMs: 2_000,
  /** A turn of so many requests or connections counts as busy; then the next records, and frames, wait so long for company. */
  busyTurnItems: 4,
  lanePaceMs: 4,
  outputPaceMs: 8,
  /** Messages waiting in one lane of MsgProxy. */
  maxLaneMessages: 8_192,
  /** How long an overloaded queue asks its callers to wait. */
  overloadRetryAfterMs: 200,
  /** Rate of sends of one user, refill per second and burst. */
  sendsPerSecondPerUser: 2_000,
  sendBurstPerUser: 4_000,
  /** Writer: messages between sequenced and committed, heads remembered, least time between commits. */
  maxWriterMessagesInFlight: 16_384,
  maxWriterHeads: 200_000,
  commitIntervalMs: 8,
  /** A start waits so long for the log to be replayed; only a disk that is full makes it longer. */
  replayWaitMs: 10_000,
  /** Dedupe rows are kept for 48 h and the log's retention after the time in their id; looked at so often. */
  sendRowsKeptMs: 9 * 86_400_000,
  sendExpiryIntervalMs: 3_600_000,
  /** At-most-once events waiting in PushServer. */
  maxPushQueueEntries: 20_000,
  /** A page of history. */
  maxPageMessages: 200,
  defaultPageMessages: 50,
  maxPageBytes: 512 * 1024,
  /** Members of one group. */
  maxGroupMembers: 2_000,
  /** Receipts are pushed only in conversations with at most so many members. */
  maxReceiptMembers: 64,
  /** Receipts wait so long for company. */
  receiptFlushMs: 200,
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
  /** Writers of the codec: buffer of a new one, idle ones kept by a pool, largest buffer worth keeping. */
  writerStartBytes: 1024,
  maxPooledWriters: 32,
  maxPooledWriterBytes: 256 * 1024,
  /** Unknown protobuf groups inside each other. */
  maxGroupDepth: 100,
  /** Revoked sessions and raised session versions remembered by a token verifier. */
  maxRevocations: 100_000,
  /** How early a token may be used before its `nbf`: clocks of processes differ. `exp` has no such grace. */
  tokenNotBeforeLeewayMs: 60_000,
  /** Sign-in attempts of one account name, refill per minute and burst. */
  attemptsPerMinutePerName: 10,
  attemptBurstPerName: 10,
  /** Password and refresh attempts, registrations included, of one client address, refill per minute and burst. */
  attemptsPerMinutePerAddress: 120,
  attemptBurstPerAddress: 120,
  /** Names, and addresses, whose attempts are remembered. */
  maxAttemptKeys: 50_000,
  /** Group changes of one process running or waiting; how often a change is looked for until it is sequenced. */
  maxGroupChanges: 1_024,
  membershipPollMinMs: 2,
  membershipPollMaxMs: 50,
  /** Cursors wait so long for company, cursors waiting for the store, rows of one write. */
  cursorFlushMs: 200,
  maxDirtyCursors: 200_000,
  maxCursorRowsPerWrite: 2_000,
  /** Cursors that one GetCursors answers. */
  maxCursorsPerAnswer: 500,
  /** Receipts waiting for their flush; more are dropped, they are at most once. */
  maxPendingReceipts: 50_000,
  /** Receipts wait so long for company, and leave in batches of so many. */
  receiptPublishMs: 8,
  maxReceiptsPerBatch: 512,
  /** A cursor beyond the committed head waits so long for the commit; looked for so often. */
  earlyCursorMs: 2_000,
  earlyCursorCheckMs: 20,
  /** HTTP edge: how often times are looked at: for the headers, for the whole request, for calls in hand when it closes. */
  httpTimeoutCheckMs: 2_000,
  httpHeadersTimeoutMs: 10_000,
  httpRequestTimeoutMs: 30_000,
  httpCloseTimeoutMs: 5_000,
  /** Headers of one HTTP request: bytes and fields. Sockets of the edge's port, long connections included. */
  maxHttpHeaderBytes: 16 * 1024,
  maxHttpHeaders: 100,
  maxHttpConnections: 19_000,
  /** HTTP calls without an answer yet. */
  maxHttpCallsInFlight: 4_096,
  /** Body of a call without a token, and of a call that only reads; others have maxHttpMessageBytes. */
  maxHttpPublicBodyBytes: 16 * 1024,
  maxHttpReadBodyBytes: 64 * 1024,
  /** Rest of a refused body that is let go by, so that its sender gets to the answer, before the connection is cut. */
  maxHttpDiscardBytes: 4 * 1024 * 1024,
  httpDiscardMs: 2_000,
  /** Origins that may be named for CORS; how long a browser may keep a preflight's answer. */
  maxCorsOrigins: 64,
  httpPreflightMaxAgeMs: 7_200_000,
  /** Long connections of one client address (IPv6: of one /64): at once, of them before Hello, new per second and burst. */
  maxConnectionsPerAddress: 10_000,
  maxUnauthenticatedPerAddress: 1_000,
  connectsPerSecondPerAddress: 500,
  connectBurstPerAddress: 2_000,
  /** Client addresses without a connection whose rate is remembered. */
  maxIdleAddresses: 50_000,
  /** A refused TCP connection is read so long, so that its client gets to the reason. */
  refusedLingerMs: 500,
  /** First buffer of a TCP frame that comes in pieces. */
  tcpPieceStartBytes: 256,
  /** A PROXY protocol v2 header. */
  maxProxyHeaderBytes: 536,
  /** gRPC: streams of one HTTP/2 connection, streams it may reset at once and per second, invalid frames and refused streams. */
  maxGrpcStreamsPerConnection: 100,
  grpcStreamResetBurst: 50,
  grpcStreamResetsPerSecond: 20,
  maxGrpcInvalidFrames: 100,
  maxGrpcRejectedStreams: 100,
  /** HTTP/2 connections on the gRPC port; bytes waiting in a stream before it counts as stalled. */
  maxGrpcConnections: 18_500,
  /** TCP connections of one address to the gRPC port: each may cost a burst of streams that are reset. */
  grpcConnectsPerSecondPerAddress: 20,
  grpcConnectBurstPerAddress: 100,
  /**
   * Calls of one connection that its client gives up so soon, until it is cut and its address barred; the count begins
   * anew after that time.
   */
  grpcAbandonedWithinMs: 500,
  maxGrpcAbandonedStreams: 50,
  grpcBarMs: 10_000,
  streamHighWaterBytes: 64 * 1024,
  /** A gRPC connection without a stream is closed after so long; one that is silent is pinged, and closed without an answer. */
  grpcIdleConnectionMs: 30_000,
  grpcKeepaliveMs: 60_000,
  grpcKeepaliveTimeoutMs: 20_000,
  /** Listen streams say something at least so often: proxies cut silent ones after 60 s. */
  listenKeepaliveMs: 20_000,
  /** One SendFrame request. */
  maxSendFrameBytes: 192 * 1024,
  /** Registered gRPC servers: of one Route, descriptors of one of them, services remembered, messages of their calls. */
  maxRegistrations: 1_000,
  maxRegistrationFiles: 64,
  maxRegistrationFileBytes: 100 * 1024,
  maxLiveServices: 256,
  maxBackendMessageBytes: 4 * 1024 * 1024,
  /** From the open stream to the registration; pings to a registered server; one that is silent so long is gone. */
  registrationTimeoutMs: 5_000,
  registryPingMs: 3_000,
  registrySilenceMs: 10_000,
  /** Calls in hand of one registered server. */
  maxCallsInFlightPerBackend: 1_000,
  /** Connecting again to a registered server: first wait, longest wait. */
  backendReconnectMs: 50,
  backendMaxReconnectMs: 1_000,
  /** Attempts of one idempotent call; retries per call, saved up to a most, and how many come back a second for slow callers. */
  maxCallAttempts: 3,
  retriesPerCall: 0.1,
  maxRetriesSaved: 100,
  retriesPerSecond: 10,
  /** Failures in a row until a backend is left out, for how long at first and at most; a shorter deadline proves nothing. */
  outlierFailures: 5,
  outlierEjectMs: 1_000,
  maxOutlierEjectMs: 30_000,
  outlierMinWaitMs: 1_000,
  /** SVIDs from here on are for services that register; those below are the mesh's own. */
  firstFreeSvid: 1_000,
  /** A worker that has ended comes back after so long. */
  workerRestartMs: 1_000,
  /** After the drain, how long closing may take until the process ends anyhow. */
  processCloseTimeoutMs: 10_000,
  /** Connections of those who watch a process. */
  maxOpsConnections: 64,
  /** Payload of an event that a registered service sends. */
  maxBackendEventBytes: 64 * 1024,
  /** Unary gRPC calls in hand of one process. */
  maxGrpcCallsInFlight: 1_000,
  ...proxyLimits,
});
