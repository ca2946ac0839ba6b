import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { limits } from "@chappe/mesh/limits.ts";
import { cookieBytes } from "./datagrams.ts";

/** Proofs that a client receives at its address; nothing is remembered. */
export interface Cookies {
  make(address: string, port: number): Buffer;
  /** Whether it was made for this address in this slot of time or the last. */
  isGood(cookie: Uint8Array, address: string, port: number): boolean;
}

/** Cookies under a key of this process. @param now Unix milliseconds */
export function createCookies(now: () => number = Date.now): Cookies {
  const key = randomBytes(cookieBytes);
  const slotNow = (): number => Math.floor(now() / limits.udpCookieSlotMs);
  const makeFor = (address: string, port: number, slot: number): Buffer =>
    createHmac("sha256", key).update(`${address} ${port} ${slot}`).digest();
  return {
    make: (address, port) => makeFor(address, port, slotNow()),
    isGood(cookie, address, port) {
      if (cookie.length !== cookieBytes) return false;
      const slot = slotNow();
      return [slot, slot - 1].some((each) => timingSafeEqual(cookie, makeFor(address, port, each)));
    },
  };
}
