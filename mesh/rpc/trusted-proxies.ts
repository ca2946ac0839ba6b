import { BlockList, isIP } from "node:net";
import { limits } from "../limits.ts";
import { invalidArgument } from "./invalid-argument.ts";

/** The proxies whose word about the client's address is taken. */
export interface TrustedProxies {
  has(address: string): boolean;
  /** The client's address: of a trusted peer the last one in X-Forwarded-For that is no trusted proxy itself. */
  clientOf(peer: string, forwardedFor: string | undefined): string;
}

const family = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");
const plain = (address: string): string => (address.startsWith("::ffff:") ? address.slice(7) : address);

/** Trusts these addresses and networks ("10.0.0.0/8"). INVALID_ARGUMENT names the entry that is none. */
export function createTrustedProxies(entries: readonly string[]): TrustedProxies {
  if (entries.length > limits.maxTrustedProxies)
    throw invalidArgument("trustedProxies", "max_items", `more than ${limits.maxTrustedProxies} entries`);
  const list = new BlockList();
  for (const entry of entries) {
    const [address = "", prefix] = entry.split("/", 2);
    const longest = isIP(address) === 6 ? 128 : 32;
    const bits = prefix === undefined ? longest : Number(prefix);
    if (isIP(address) === 0 || !Number.isInteger(bits) || bits < 0 || bits > longest)
      throw invalidArgument("trustedProxies", "network", `${entry} is no address and no network`);
    list.addSubnet(address, bits, family(address));
  }
  const has = (address: string): boolean => isIP(address) !== 0 && list.check(plain(address), family(plain(address)));
  return {
    has,
    clientOf(peer, forwardedFor) {
      if (forwardedFor === undefined || !has(peer)) return plain(peer);
      const hops = forwardedFor.split(",").map((hop) => hop.trim());
      for (const hop of hops.reverse()) {
        if (isIP(hop) === 0) break;
        if (!has(hop)) return plain(hop);
      }
      return plain(peer);
    },
  };
}
