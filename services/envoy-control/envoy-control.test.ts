import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { doorRole } from "@chappe/mesh/directory/door-roles.ts";
import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { parseEnvoySettings } from "@chappe/mesh/envoy/envoy-settings.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createEnvoyControl, type EnvoyControl } from "./envoy-control.ts";

let path: string;
let control: EnvoyControl;
const directory = createMemoryDirectory();
const settings = parseEnvoySettings({ tcpPort: 7000 });

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "chappe-envoy-control-"));
  control = createEnvoyControl({ directory, settings, path, logger: silentLogger });
});
afterEach(() => {
  control.close();
  rmSync(path, { recursive: true, force: true });
});

/** Ports of the endpoints of one cluster, in the file as it is now. */
function portsOf(cluster: string): number[] {
  let text: string;
  try {
    text = readFileSync(join(path, `eds-${cluster}.yaml`), "utf8");
  } catch {
    return [];
  }
  return [...text.matchAll(/socket_address: \{[^}]*port_value: (\d+)/g)].map(([, port]) => Number(port));
}

const announce = async (name: string, port: number): Promise<() => Promise<void>> => {
  const leaves = await Promise.all([
    directory.register({ role: doorRole("http"), id: name, address: `127.0.0.1:${port}` }),
    directory.register({ role: doorRole("http"), id: `${name}@1`, address: `127.0.0.2:${port}` }),
    directory.register({ role: doorRole("tcp"), id: name, address: `127.0.0.1:${port + 1}` }),
  ]);
  return async () => void (await Promise.all(leaves.map((leave) => leave())));
};

test("the file follows the Directory; the last Logins stay when it is empty", async () => {
  expect(control.ready()).toBe(false);
  const leaveFirst = await announce("login-1", 1000);
  await expect.poll(() => portsOf("login_http")).toEqual([1000, 1000]);
  expect(control.ready()).toBe(true);
  const leaveSecond = await announce("login-2", 2000);
  await expect.poll(() => portsOf("login_http")).toEqual([1000, 1000, 2000, 2000]);
  // The ring of Listen streams is of processes, not of their addresses.
  expect(portsOf("login_listen")).toEqual([1000, 2000]);
  expect(portsOf("login_tcp")).toEqual([1001, 2001]);
  expect(portsOf("login_grpc")).toEqual([]);
  await leaveFirst();
  await expect.poll(() => portsOf("login_http")).toEqual([2000, 2000]);
  await leaveSecond();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(portsOf("login_http")).toEqual([2000, 2000]);
});
