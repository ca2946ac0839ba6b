import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { describeSettings } from "@chappe/services/all/settings.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const tour = /<!-- tour -->([\s\S]*)<!-- \/tour -->/.exec(readme)?.[1] ?? "";
const script = [...tour.matchAll(/```sh\n([\s\S]*?)```/g)].map((block) => block[1]).join("\n");
const expected = [...script.matchAll(/^# expect: (.*)$/gm)].map((line) => line[1]!);

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

describe("the README", () => {
  it("has the settings as they are", () => {
    // The formatter pads the cells of tables.
    const plain = (text: string): string => text.replace(/ +/g, " ").replace(/-+/g, "-");
    expect(plain(readme)).toContain(plain(describeSettings()));
  });

  it("has a tour whose commands work and print what it says", async () => {
    expect(expected.length).toBeGreaterThan(2);
    const commands = script.replaceAll("http://127.0.0.1:8080", server.url);
    const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", commands], { timeout: 30_000 });
    for (const fragment of expected) expect(stdout).toContain(fragment);
  });
});
