import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readConfig, workerSettings } from "./config.ts";
import { settings } from "./settings.ts";

const folder = mkdtempSync(join(tmpdir(), "chappe-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(value: unknown): string {
  const path = join(folder, "settings.json");
  writeFileSync(path, JSON.stringify(value));
  return path;
}

it("takes arguments before the environment, that before the file, that before the defaults", () => {
  const file = fileOf({ port: 1, tcpPort: 2, udpPort: 3, roles: ["route"], devMode: false });
  const env = { CHAPPE_PORT: "10", CHAPPE_TCP_PORT: "20", CHAPPE_ROUTES: " a:1, ,b:2" };
  const config = readConfig(["--port", "100", "--config", file], env);
  expect(config).toMatchObject({ port: 100, tcpPort: 20, udpPort: 3, roles: ["route"], devMode: false });
  expect(config).toMatchObject({ routes: ["a:1", "b:2"], host: "127.0.0.1", flushIntervalMs: 500 });
});

it("knows every setting of the table, and no other", () => {
  const { sharesPorts: _, ...config } = readConfig([], {});
  const optional = settings.filter(({ fallback }) => fallback === undefined).map(({ name }) => name);
  const known = settings.map(({ name }) => name);
  for (const name of Object.keys(config)) expect(known).toContain(name);
  for (const name of known) if (!optional.includes(name)) expect(Object.keys(config)).toContain(name);
});

it.each([
  [["--port", "70000"], {}, "port: "],
  [["--port"], {}, "--port"],
  [["--colour", "red"], {}, "--colour"],
  [[], { CHAPPE_PORT: "many" }, "port: "],
  [[], { CHAPPE_ROLES: "login,king" }, "roles: "],
  [[], { CHAPPE_SINGLE_DEVICE_CLASSES: "MOBILE,FRIDGE" }, "singleDeviceClasses: "],
  [[], { CHAPPE_CONFIG: "/nowhere/at/all.json" }, "config: /nowhere/at/all.json"],
  [["--workers", "2"], {}, "workers: more than one need --roles login"],
  [["--workers", "2", "--roles", "login", "--port", "0"], {}, "workers: more than one need ports"],
])("refuses %j %j and says what is wrong", (args, env, text) => {
  expect(() => readConfig(args, env)).toThrow(text);
});

it("refuses what a file has beside the settings", () => {
  expect(() => readConfig([], { CHAPPE_CONFIG: fileOf({ porte: 1 }) })).toThrow("porte: is no setting");
});

it("gives a worker exactly the settings of its parent", () => {
  const config = readConfig(["--port", "99"], {});
  expect(readConfig([], { [workerSettings]: JSON.stringify(config) })).toEqual(config);
});
