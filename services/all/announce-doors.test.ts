import { doorRole } from "@chappe/mesh/directory/door-roles.ts";
import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { expect, test } from "vitest";
import { announceDoors } from "./announce-doors.ts";

const common = { instanceId: "login-1", advertiseHost: "10.0.0.1", logger: silentLogger };

test("names every door, those of HTTP and TCP at each address, and takes them back", async () => {
  const directory = createMemoryDirectory();
  const ports = { http: 80, grpc: 90, tcp: 70 };
  const leave = await announceDoors({ ...common, directory, extraHosts: ["10.0.0.2", "fd00::2"], ports });
  const addresses = async (kind: "http" | "grpc" | "tcp" | "udp"): Promise<string[]> =>
    (await directory.list(doorRole(kind))).map(({ address }) => address).sort();
  expect(await addresses("http")).toEqual(["10.0.0.1:80", "10.0.0.2:80", "[fd00::2]:80"]);
  expect(await addresses("tcp")).toEqual(["10.0.0.1:70", "10.0.0.2:70", "[fd00::2]:70"]);
  expect(await addresses("grpc")).toEqual(["10.0.0.1:90"]);
  expect(await addresses("udp")).toEqual([]);
  await leave();
  for (const kind of ["http", "grpc", "tcp"] as const) expect(await addresses(kind)).toEqual([]);
});

test("leaves without an error when the Directory is away, and takes back what it said when it cannot say all", async () => {
  const inner = createMemoryDirectory();
  const away = {
    ...inner,
    list: inner.list.bind(inner),
    register: async () => () => Promise.reject(new Error("away")),
  };
  const leave = await announceDoors({ ...common, directory: away, extraHosts: [], ports: { http: 80 } });
  await expect(leave()).resolves.toBeUndefined();
  let left = 2;
  const failing = {
    ...away,
    register: (entry: Parameters<typeof inner.register>[0]) =>
      --left < 0 ? Promise.reject(new Error("away")) : inner.register(entry),
  };
  const ports = { http: 80, grpc: 90, tcp: 70 };
  await expect(announceDoors({ ...common, directory: failing, extraHosts: [], ports })).rejects.toThrow("away");
  expect(await inner.list(doorRole("http"))).toEqual([]);
});
