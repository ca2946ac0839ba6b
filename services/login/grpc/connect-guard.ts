import type { Socket } from "node:net";
import { BoundedMap } from "@chappe/mesh/auth/bounded-map.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { TrustedProxies } from "@chappe/mesh/rpc/trusted-proxies.ts";
import { createAddressLimits } from "../address-limits.ts";
import type { LoginLimits } from "../login-options.ts";

/**
 * Guards the gRPC port against clients that open streams only to drop them (HTTP/2 rapid reset): a connection whose
 * streams are abandoned too often is cut, and its address may not connect for a while. A trusted proxy answers for
 * many, and is left to guard itself.
 */
export interface ConnectGuard {
  /** False = the connection may not be; it is cut already. */
  admit(socket: Socket): boolean;
  /** The client of this peer ("address:port") has given up a call that began then (performance.now()). */
  onAbandoned(peer: string, startedMs: number): void;
  /** Cuts every connection. */
  close(): void;
}

interface Guarded {
  readonly socket: Socket;
  /** Calls given up at once, since then. */
  abandoned: number;
  sinceMs: number;
}

class Guard implements ConnectGuard {
  readonly #limits: LoginLimits;
  readonly #proxies: TrustedProxies;
  readonly #addresses: ReturnType<typeof createAddressLimits>;
  readonly #sockets = new Map<string, Guarded>();
  readonly #barredUntilMs: BoundedMap<string, number>;

  constructor(limits: LoginLimits, proxies: TrustedProxies) {
    this.#limits = limits;
    this.#proxies = proxies;
    this.#barredUntilMs = new BoundedMap(limits.maxIdleAddresses);
    const own = {
      ...limits,
      connectsPerSecondPerAddress: limits.grpcConnectsPerSecondPerAddress,
      connectBurstPerAddress: limits.grpcConnectBurstPerAddress,
      maxUnauthenticatedPerAddress: limits.maxConnectionsPerAddress,
    };
    this.#addresses = createAddressLimits(own, () => performance.now());
  }

  admit(socket: Socket): boolean {
    const { remoteAddress = "", remotePort } = socket;
    const peer = `${remoteAddress}:${remotePort}`;
    socket.once("close", () => this.#sockets.delete(peer));
    this.#sockets.set(peer, { socket, abandoned: 0, sinceMs: performance.now() });
    if (this.#proxies.has(remoteAddress)) return true;
    const isBarred = (this.#barredUntilMs.get(remoteAddress) ?? 0) > performance.now();
    const ticket = isBarred ? undefined : this.#addresses.enter(remoteAddress);
    if (ticket === undefined || ticket instanceof ChappeError) {
      socket.destroy();
      return false;
    }
    socket.once("close", () => ticket.leave());
    return true;
  }

  onAbandoned(peer: string, startedMs: number): void {
    const nowMs = performance.now();
    const guarded = this.#sockets.get(peer.replace(/^\[(.*)\](:\d+)$/, "$1$2"));
    if (guarded === undefined || nowMs - startedMs > this.#limits.grpcAbandonedWithinMs) return;
    if (nowMs - guarded.sinceMs > this.#limits.grpcBarMs) Object.assign(guarded, { abandoned: 0, sinceMs: nowMs });
    if (++guarded.abandoned <= this.#limits.maxGrpcAbandonedStreams) return;
    const { remoteAddress = "" } = guarded.socket;
    if (this.#proxies.has(remoteAddress)) return;
    this.#barredUntilMs.set(remoteAddress, nowMs + this.#limits.grpcBarMs);
    guarded.socket.destroy();
  }

  close(): void {
    for (const { socket } of this.#sockets.values()) socket.destroy();
  }
}

/** Makes a guard with nobody connected. */
export function createConnectGuard(limits: LoginLimits, proxies: TrustedProxies): ConnectGuard {
  return new Guard(limits, proxies);
}
