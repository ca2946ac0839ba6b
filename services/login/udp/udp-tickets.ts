import { randomBytes } from "node:crypto";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { DelayedCall } from "../delayed-call.ts";
import type { LoginDoor } from "../login-door.ts";
import { keyBytes, ticketIdBytes } from "./datagrams.ts";

/** The right to open one session over UDP. */
export interface UdpTicket {
  readonly id: Uint8Array;
  readonly key: Uint8Array;
}

/** Tickets that were given and not used yet. */
export interface UdpTickets {
  /** Gives one. OVERLOADED when too many wait, RATE_LIMITED when too many of this user do. */
  give(userId: bigint): UdpTicket;
  find(id: string): UdpTicket | undefined;
  /** Takes a ticket away: it is used. */
  remove(id: string): void;
}

/** No tickets yet. */
export function createUdpTickets({ limits, wheel }: LoginDoor): UdpTickets {
  const tickets = new Map<string, UdpTicket & { readonly userId: bigint; readonly end: DelayedCall }>();
  const perUser = new Map<bigint, number>();
  const remove = (id: string): void => {
    const ticket = tickets.get(id);
    if (ticket === undefined) return;
    tickets.delete(id);
    wheel.cancel(ticket.end);
    const left = perUser.get(ticket.userId)! - 1;
    if (left === 0) perUser.delete(ticket.userId);
    else perUser.set(ticket.userId, left);
  };
  return {
    give(userId) {
      const ofUser = perUser.get(userId) ?? 0;
      const retry = { retryAfterMs: limits.overloadRetryAfterMs };
      if (ofUser >= limits.maxUdpTicketsPerUser)
        throw new ChappeError("RATE_LIMITED", "Too many tickets of this user are not used yet.", retry);
      if (tickets.size >= limits.maxUdpTickets) throw new ChappeError("OVERLOADED", undefined, retry);
      const id = randomBytes(ticketIdBytes);
      const text = id.toString("hex");
      const end = new DelayedCall(() => remove(text));
      const ticket = { id, key: randomBytes(keyBytes), userId, end };
      tickets.set(text, ticket);
      perUser.set(userId, ofUser + 1);
      wheel.schedule(end, limits.udpTicketTtlMs);
      return ticket;
    },
    find: (id) => tickets.get(id),
    remove,
  };
}
