import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startServer } from "@chappe/bench/support/start-server.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const installTimeoutMs = 300_000;
const app = mkdtempSync(join(tmpdir(), "chappe-image-"));
const dockerfile = readFileSync(join(root, "deploy/Dockerfile"), "utf8");
const buildStage = dockerfile.slice(
  dockerfile.indexOf(" AS build"),
  dockerfile.indexOf("FROM", dockerfile.indexOf(" AS build")),
);
const linesOf = (text: string, word: string): string[] =>
  text.split("\n").flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
const ignored = readFileSync(join(root, "deploy/Dockerfile.dockerignore"), "utf8").split("\n");
const leftOut = (path: string): boolean =>
  /(?:^|\/)(?:node_modules|dist|test-support)(?:\/|$)|\.test\.ts$/.test(path.slice(root.length));
const run = (command: string) =>
  promisify(execFile)("sh", ["-c", command], { cwd: app, env: { ...process.env, NODE_ENV: "production" } });

describe("the image", () => {
  beforeAll(async () => {
    for (const copy of linesOf(buildStage, "COPY")) {
      const from = copy.split(" ").slice(0, -1);
      for (const name of from)
        cpSync(join(root, name), join(app, basename(name)), { recursive: true, filter: (path) => !leftOut(path) });
    }
    for (const command of linesOf(buildStage, "RUN")) await run(command);
  }, installTimeoutMs);
  afterAll(() => rmSync(app, { recursive: true, force: true }));

  it("leaves out what the test leaves out", () => {
    for (const pattern of ["**/node_modules", "**/dist", "**/*.test.ts", "**/test-support"])
      expect(ignored).toContain(pattern);
  });

  it("has what serving needs, the chat page too, and no tools of development", async () => {
    const dataDir = join(app, "data");
    const entry = join(app, "services/main.ts");
    const server = await startServer({ dataDir, entry, args: ["--no-dev"], env: { NODE_ENV: "production" } });
    try {
      const page = await fetch(`http://127.0.0.1:${server.port}/`);
      expect(await page.text()).toContain("<title>");
    } finally {
      await server.close();
    }
    await expect(
      run("test ! -e node_modules/vitest -a ! -e node_modules/typescript -a ! -e node_modules/playwright-core"),
    ).resolves.toBeDefined();
  });
});

it("runs as nobody in particular, and Node gets the signals", () => {
  expect(dockerfile).toMatch(/^USER node$/m);
  expect(dockerfile).toMatch(/^ENTRYPOINT \["node", "services\/main.ts"\]$/m);
});
