import { expect, test } from "vitest";
import { createTrustedProxies } from "./trusted-proxies.ts";

const proxies = createTrustedProxies(["10.0.0.0/8", "2001:db8::1"]);

test.each([
  ["203.0.113.1", "198.51.100.7", "203.0.113.1"],
  ["10.1.1.1", undefined, "10.1.1.1"],
  ["10.1.1.1", "198.51.100.7", "198.51.100.7"],
  ["::ffff:10.1.1.1", "198.51.100.7", "198.51.100.7"],
  ["2001:db8::1", "6.6.6.6, 198.51.100.7, 10.9.9.9", "198.51.100.7"],
  ["10.1.1.1", "198.51.100.7, nonsense", "10.1.1.1"],
])("of peer %s that forwards for %s the client is %s", (peer, forwardedFor, client) => {
  expect(proxies.clientOf(peer, forwardedFor)).toBe(client);
});

test.each(["10.0.0.0/33", "10.0.0.0/x", "proxy.example", "::1/129"])("%s is refused by name", (entry) => {
  expect(() => createTrustedProxies([entry])).toThrow(entry);
});
