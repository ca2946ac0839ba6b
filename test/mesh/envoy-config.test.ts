import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { validateEnvoyFile } from "@chappe/mesh/dev-engines/start-envoy.ts";
import { dynamicFiles, endpointFiles, staticFiles } from "@chappe/mesh/envoy/envoy-files.ts";
import { parseEnvoySettings } from "@chappe/mesh/envoy/envoy-settings.ts";
import { writeEnvoyFiles } from "@chappe/mesh/envoy/write-envoy-files.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeCertificate } from "./support/envoy-world.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const example = (name: string): string => join(root, "deploy/envoy", name);
const run = promisify(execFile);
const chappe = async (...args: readonly string[]): Promise<string> =>
  (await run(process.execPath, [join(root, "services/main.ts"), "envoy", ...args])).stdout.trim();

let folder: string;
let tls: Awaited<ReturnType<typeof makeCertificate>>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "chappe-envoy-config-"));
  tls = await makeCertificate(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("the example in deploy/envoy is what its settings and the contracts make, and Envoy takes it", async () => {
  const out = join(folder, "example");
  await chappe("config", "--settings", example("settings.json"), "--out", out);
  const text = readFileSync(join(out, "envoy.yaml"), "utf8");
  // When this fails: npm run chappe -- envoy config --settings deploy/envoy/settings.json --out deploy/envoy
  expect(readFileSync(example("envoy.yaml"), "utf8")).toBe(text);
  const path = join(folder, "here.yaml");
  const here = text.replaceAll("/etc/chappe/tls/tls.crt", tls.certificateFile);
  writeFileSync(path, here.replaceAll("/etc/chappe/tls/tls.key", tls.keyFile));
  await validateEnvoyFile(path);
});

it("Envoy takes every listener and setting, and the dynamic form", async () => {
  const settings = {
    tls,
    tcpPort: 8444,
    udpPort: 8445,
    trustedHops: 1,
    corsOrigins: ["*"],
    otlpAddress: "127.0.0.1:4317",
    traceSampling: 10,
    logins: [{ http: ["127.0.0.1:8080"], grpc: "[::1]:9090", tcp: ["127.0.0.1:7070"], udp: "127.0.0.1:7071" }],
  };
  const parsed = parseEnvoySettings(settings);
  const dynamic = join(folder, "dynamic");
  const fixed = join(folder, "fixed");
  writeEnvoyFiles(fixed, staticFiles(parsed));
  const files = { ...dynamicFiles(parsed, dynamic), ...endpointFiles(parsed, parsed.logins) };
  // Envoy wants the endpoints of one cluster a file.
  expect(Object.keys(files)).toHaveLength(8);
  writeEnvoyFiles(dynamic, files);
  await Promise.all([fixed, dynamic].map((out) => validateEnvoyFile(join(out, "envoy.yaml"))));
});

it("what Envoy refuses is told with its reason, and settings that are none with their names", async () => {
  const path = join(folder, "bad.yaml");
  const text = staticFiles(parseEnvoySettings({}))["envoy.yaml"]!;
  writeFileSync(path, text.replace("codec_type: AUTO", "codec_type: SOMETHING"));
  await expect(validateEnvoyFile(path)).rejects.toThrow("SOMETHING");
  expect(() => parseEnvoySettings({ port: 0, surprise: 1 })).toThrow(/port: .*surprise|surprise.*port: /);
  await expect(chappe("config")).rejects.toThrow("usage: envoy config --out DIR");
});
