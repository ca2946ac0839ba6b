/** Bounds of connections over UDP. A part of mesh/limits.ts. */
export const udpLimits = {
  /** UDP: one datagram, tickets waiting to be used, their life, life of a cookie. */
  maxUdpDatagramBytes: 1_200,
  maxUdpTickets: 20_000,
  maxUdpTicketsPerUser: 8,
  udpTicketTtlMs: 30_000,
  udpCookieSlotMs: 30_000,
  /** UDP: counters remembered against replay; datagrams on their way, at first, at least and at most; datagrams kept for order. */
  udpReplayWindow: 1_024,
  udpStartInFlight: 16,
  udpMinInFlight: 4,
  maxUdpInFlight: 64,
  maxUdpReorder: 128,
  /** UDP: first wait for an acknowledgement, doubled each time up to the longest, and how often. */
  udpRetransmitMs: 250,
  maxUdpRetransmitMs: 1_000,
  maxUdpRetransmits: 9,
} as const;
