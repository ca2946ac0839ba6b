import type { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import type { AddressTicket } from "./address-limits.ts";
import type { LoginLimits } from "./login-options.ts";
import type { Session } from "./session.ts";
import type { Transport } from "./transport.ts";

/** What Login gives to the acceptors of all transports. */
export interface LoginDoor {
  readonly limits: LoginLimits;
  readonly wheel: TimerWheel;
  /** Lets a new connection of this client address in, or says why not: draining, full, too many of one address. */
  admit(address: string): AddressTicket | ChappeError;
  /** Opens a session on a transport: bytes in by `session.onFrame`, bytes out by the transport. */
  openSession(transport: Transport, ticket?: AddressTicket): Session;
}
