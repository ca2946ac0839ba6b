/** The bounds of telemetry, a part of limits. */
export const telemetryLimits = Object.freeze({
  /**
   * Messages whose spans are exported at once, for how long after they were marked, and how often spans are made: at
   * most so often, and no more than one part in traceFlushShare of the time.
   */
  maxTraceMarks: 1_024,
  traceMarkMs: 10_000,
  traceFlushMs: 200,
  traceFlushShare: 25,
  /** Late or failed messages marked a second; marks of one call to other processes. */
  lateMarksPerSecond: 50,
  maxMarksPerCall: 256,
  /** Spans of one message that one process exports; links of one span. */
  maxSpansPerTrace: 512,
  maxSpanLinks: 8,
  /** Spans of one report of a client, reports of one connection a second and at once; how old such spans
   * may be, and how far ahead the clock they were taken with. */
  maxClientSpans: 256,
  clientReportsPerSecond: 1,
  clientReportBurst: 4,
  clientSpanMaxAgeMs: 60_000,
  clientSpanAheadMs: 2_000,
  /** Age from which a message is late, and beyond which that is no news: it waited with its sender. */
  slowMessageMs: 1_000,
  slowMessageMaxMs: 60_000,
  /** A call of an engine that takes so long is remembered for all messages that waited for it, traced or not. */
  slowCallMs: 100,
  /** Connections of one delivery that are remembered one by one, unless it is traced. */
  maxHopConnections: 16,
  /** Hops that one process names of a message; a call that asks for them. */
  maxFoundHops: 1_000,
  traceCallTimeoutMs: 2_000,
  /** Spans that wait for the OTLP receiver, how long at most, and how long one export may take. */
  maxWaitingSpans: 8_192,
  otlpDelayMs: 500,
  otlpTimeoutMs: 5_000,
  /** Pushed messages whose acknowledgement is timed. */
  ackBookEntries: 16_384,
  /** Entries of the ring that are searched for slow messages, and how many of these are told. */
  maxSlowScan: 8_192,
  maxSlowMessages: 8,
  /** Failures that a developer causes: how late deliveries get, how long a failure lasts at most; bytes that ask for it. */
  failureDelayMs: 1_500,
  maxFailureMs: 30_000,
  maxOpsRequestBytes: 1_024,
});
