import { isIPv6 } from "node:net";
import { BoundedMap } from "@chappe/mesh/auth/bounded-map.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { LoginLimits } from "./login-options.ts";

interface AddressState {
  readonly key: string;
  connections: number;
  unauthenticated: number;
  /** When the bucket of new connections would be full again. */
  fullMs: number;
}

/** The place of one connection among those of its address. */
export interface AddressTicket {
  /** Hello has succeeded. */
  welcome(): void;
  /** The connection is closed. */
  leave(): void;
}

/** Limits long connections by client address, before and after Hello, whatever carries them. */
export interface AddressLimits {
  /** A ticket, or why there is none. Never throws, so that a flood costs little. */
  enter(address: string): AddressTicket | ChappeError;
}

/** Hosts of IPv6 choose any address of their /64: that is what counts. IPv4 in IPv6 clothes counts as IPv4. */
function addressKey(address: string): string {
  if (address.startsWith("::ffff:") && address.includes(".")) return address.slice(7);
  if (!isIPv6(address)) return address;
  const plain = address.split("%", 1)[0]!;
  const [left = "", right] = plain.split("::", 2);
  const head = left === "" ? [] : left.split(":");
  const tail = right === undefined || right === "" ? [] : right.split(":");
  const zeros = right === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...new Array<string>(zeros).fill("0"), ...tail];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}

class Ticket implements AddressTicket {
  readonly #state: AddressState;
  readonly #onEmpty: (state: AddressState) => void;
  #welcomed = false;
  #left = false;

  constructor(state: AddressState, onEmpty: (state: AddressState) => void) {
    this.#state = state;
    this.#onEmpty = onEmpty;
    state.connections++;
    state.unauthenticated++;
  }

  welcome(): void {
    if (this.#welcomed || this.#left) return;
    this.#welcomed = true;
    this.#state.unauthenticated--;
  }

  leave(): void {
    if (this.#left) return;
    this.welcome();
    this.#left = true;
    if (--this.#state.connections === 0) this.#onEmpty(this.#state);
  }
}

/** Limits with nobody connected. @param now monotonic milliseconds */
export function createAddressLimits(limits: LoginLimits, now: () => number): AddressLimits {
  const live = new Map<string, AddressState>();
  const idle = new BoundedMap<string, AddressState>(limits.maxIdleAddresses);
  const refillMs = 1_000 / limits.connectsPerSecondPerAddress;
  const onEmpty = (state: AddressState): void => {
    live.delete(state.key);
    if (state.fullMs > now()) idle.set(state.key, state);
  };
  const refuse = (text: string, retryAfterMs: number): ChappeError =>
    new ChappeError("RATE_LIMITED", text, { retryAfterMs: Math.ceil(retryAfterMs) });
  return {
    enter(address) {
      const key = addressKey(address);
      const state = live.get(key) ?? idle.get(key) ?? { key, connections: 0, unauthenticated: 0, fullMs: 0 };
      const wait = limits.overloadRetryAfterMs;
      if (state.connections >= limits.maxConnectionsPerAddress)
        return refuse("Too many connections of this address.", wait);
      if (state.unauthenticated >= limits.maxUnauthenticatedPerAddress)
        return refuse("Too many connections of this address have not said Hello.", wait);
      const fullMs = Math.max(state.fullMs, now()) + refillMs;
      const waitMs = fullMs - now() - limits.connectBurstPerAddress * refillMs;
      if (waitMs > 0) return refuse("Too many new connections of this address.", waitMs);
      state.fullMs = fullMs;
      if (state.connections === 0) {
        idle.delete(key);
        live.set(key, state);
      }
      return new Ticket(state, onEmpty);
    },
  };
}
