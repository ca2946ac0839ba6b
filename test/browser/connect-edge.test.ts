import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "./chat-page.ts";
import type { EdgePage, PageProtocol } from "./connect-edge-page.ts";

const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_AUTH_ATTEMPT_BURST: "100000" };
const dataDir = mkdtempSync(join(tmpdir(), "chappe-connect-edge-"));
const protocols: readonly PageProtocol[] = ["Connect", "Connect JSON", "gRPC-web"];

declare const edge: EdgePage;
let server: ServerProcess;
let browser: Browser;
let page: Page;

/** The page's program as one text. */
async function bundle(): Promise<string> {
  const entry = fileURLToPath(new URL("./connect-edge-page.ts", import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: "iife", write: false });
  return outputFiles[0]!.text;
}

beforeAll(async () => {
  const [started, launched, program] = await Promise.all([startServer({ dataDir, env }), launchChromium(), bundle()]);
  [server, browser] = [started, launched];
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.port}/livez`);
  await page.evaluate(program);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

describe.each(protocols)("%s from a page", (protocol) => {
  const userName = `page-${protocol.toLowerCase().replace(" ", "-")}`;

  test("unary calls are answered, with a token and without", async () => {
    const types: (string | undefined)[] = [];
    page.on("request", (request) => types.push(request.headers()["content-type"]));
    const answer = await page.evaluate(([by, name]) => edge.unary(by, name), [protocol, userName] as const);
    expect(answer.same).toBe(true);
    page.removeAllListeners("request");
    const sent = {
      Connect: "application/proto",
      "Connect JSON": "application/json",
      "gRPC-web": "application/grpc-web",
    };
    expect(types).toHaveLength(2);
    for (const type of types) expect(type).toContain(sent[protocol]);
    const refused = await page.evaluate((by) => edge.refused(by), protocol);
    expect(refused).toEqual({ code: "Unauthenticated", name: "UNAUTHENTICATED" });
  });

  test("a server stream carries a session: each answer comes while the stream stays open", async () => {
    const { token } = await page.evaluate(([by, name]) => edge.unary(by, name), [protocol, `${userName}-2`] as const);
    const seen = await page.evaluate(([by, bearer]) => edge.stream(by, bearer, 20), [protocol, token] as const);
    expect(seen).toEqual({ answered: 20 });
  });

  test("a server stream that is refused says why, in a packet and as its end", async () => {
    const seen = await page.evaluate((by) => edge.refusedStream(by), protocol);
    expect(seen.errors).toEqual(["TOKEN_INVALID", "UNAUTHENTICATED"]);
    expect(seen.end).toEqual({ code: "Unauthenticated", name: "UNAUTHENTICATED" });
  });
});
