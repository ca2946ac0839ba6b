import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser } from "playwright-core";
import type { EdgePage, PageProtocol } from "../../browser/connect-edge-page.ts";

declare const edge: EdgePage;

/** A page without the SDK registers, calls, holds a session for 20 calls, and is refused without a token. */
export async function useEdgeInPage(browser: Browser, url: string, protocol: PageProtocol) {
  const entry = fileURLToPath(new URL("../../browser/connect-edge-page.ts", import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: "iife", write: false });
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  try {
    const page = await context.newPage();
    await page.goto(`${url}/chat-config.json`);
    await page.evaluate(outputFiles[0]!.text);
    const name = `page-${protocol.toLowerCase()}`;
    const { token, same } = await page.evaluate(([by, user]) => edge.unary(by, user), [protocol, name] as const);
    const seen = await page.evaluate(([by, bearer]) => edge.stream(by, bearer, 20), [protocol, token] as const);
    const refused = await page.evaluate((by) => edge.refused(by), protocol);
    return { same, seen, refused };
  } finally {
    await context.close();
  }
}
