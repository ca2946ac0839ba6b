import { register } from "@chappe/sdk/src/index.ts";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ChatPage, launchChromium } from "../browser/chat-page.ts";
import { buildInteropClient } from "../conformance/grpc/run-h2spec.ts";
import { startBackend } from "../polyglot/support/backend.ts";
import { languages } from "../polyglot/support/languages.ts";
import { runTool } from "../polyglot/support/run-tool.ts";
import { type EnvoyWorld, startEnvoyWorld } from "./support/envoy-world.ts";
import { useEdgeInPage } from "./support/use-edge-in-page.ts";

let world: EnvoyWorld;
let browser: Browser;
let url: string;
beforeAll(async () => {
  [world, browser] = await Promise.all([startEnvoyWorld(), launchChromium()]);
  url = `https://127.0.0.1:${world.tls.settings.port}`;
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await world?.close();
});

it("two people chat in a browser through TLS and WebSocket", async () => {
  const contexts = await Promise.all(
    ["envoy-anna", "envoy-ben"].map(async (name) => {
      const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
      const page = await ChatPage.tab(context, `${url}/`);
      await page.enter(name, "Create an account");
      return page;
    }),
  );
  const [anna, ben] = contexts as [ChatPage, ChatPage];
  await anna.startChat("envoy-ben");
  await anna.say("through Envoy");
  await ben.openChat("envoy-anna");
  await ben.sees("through Envoy");
  await ben.say("and back");
  await anna.sees("and back");
  await anna.tick("through Envoy", "read");
  for (const page of contexts) {
    expect(page.errors).toEqual([]);
    await page.close();
  }
});

it.each(["gRPC-web", "Connect"] as const)("a page calls and holds a session over %s", async (protocol) => {
  const { same, seen, refused } = await useEdgeInPage(browser, url, protocol);
  expect(same).toBe(true);
  expect(seen).toEqual({ answered: 20 });
  // Envoy's answer: the status, without Chappe's own detail.
  expect(refused.code).toBe("Unauthenticated");
});

it("a client on grpc-go holds a session over gRPC with TLS, and a refused one says why", async () => {
  const [client, dice] = await Promise.all([buildInteropClient(), languages.go()]);
  const backend = startBackend(dice, ["--route", `127.0.0.1:${world.server.ready.grpc}`, "--instance", "envoy"]);
  await backend.line("registered");
  const { accessToken, userId } = await register({
    url: `http://127.0.0.1:${world.envoy.settings.port}`,
    name: "gopher",
    password: "correct horse",
  });
  const to = ["-server", `127.0.0.1:${world.tls.settings.port}`, "-ca", world.certificateFile];
  const args = [...to, "-token", accessToken, "-user", String(userId), "-only", "session,refusedSession"];
  try {
    const seen = JSON.parse(await runTool(client, args, { timeoutMs: 60_000 })) as Record<string, unknown>;
    expect(seen.refusedSession).toEqual(["TOKEN_INVALID", "UNAUTHENTICATED", "Unauthenticated"]);
    expect(seen.session).toMatchObject({ isUser: true, answered: 200, endsWell: true });
  } finally {
    await backend.stop("SIGKILL");
  }
}, 300_000);
