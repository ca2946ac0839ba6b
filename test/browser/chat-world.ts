import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { ChatPage, launchChromium, type WindowOptions } from "./chat-page.ts";
import { type CuttableProxy, createCuttableProxy } from "./cuttable-proxy.ts";

const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_AUTH_ATTEMPT_BURST: "100000" };
const screenshots = process.env.CHAPPE_SCREENSHOTS;

/** A person at a page of their own, behind a network that can be cut. */
export interface Visitor {
  readonly name: string;
  readonly url: string;
  readonly proxy: CuttableProxy;
  readonly page: ChatPage;
}

/** A server and a browser for the tests of one file. */
export interface ChatWorld {
  /** Where the server is, without a network in between. */
  serverUrl(): string;
  /** A page that nobody has signed in at. */
  visit(options?: WindowOptions): Promise<Omit<Visitor, "name">>;
  /** A page of a new user, whose name begins with `base`. */
  enterAs(base: string, options?: WindowOptions): Promise<Visitor>;
  /** One more tab of the visitor's browser, not signed in. */
  tabOf(visitor: Visitor): Promise<ChatPage>;
  /** Keeps a picture in the folder that CHAPPE_SCREENSHOTS names, when it does. */
  keepPicture(page: ChatPage, name: string): Promise<void>;
}

/** More settings of the server, asked for before it starts. */
type MoreEnv = () => Promise<Readonly<Record<string, string>>>;

/** A server and a browser, from the first test of the file to the last. */
function startForFile(moreEnv: MoreEnv): { server: () => ServerProcess; browser: () => Browser } {
  const dataDir = mkdtempSync(join(tmpdir(), "chappe-browser-"));
  let server: ServerProcess | undefined;
  let browser: Browser | undefined;
  beforeAll(async () => {
    [server, browser] = await Promise.all([
      startServer({ dataDir, env: { ...env, ...(await moreEnv()) } }),
      launchChromium(),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return { server: () => server!, browser: () => browser! };
}

/** Registers the hooks that start and end the world. Each test ends without errors of its pages. */
export function createChatWorld(moreEnv: MoreEnv = async () => ({})): ChatWorld {
  const { server, browser } = startForFile(moreEnv);
  const pages: ChatPage[] = [];
  const proxies: CuttableProxy[] = [];
  let users = 0;

  afterEach(async () => {
    const errors = pages.flatMap((page) => page.errors);
    for (const page of pages.splice(0)) await page.close();
    for (const proxy of proxies.splice(0)) await proxy.close();
    expect(errors).toEqual([]);
  });

  const visit: ChatWorld["visit"] = async (options) => {
    const proxy = await createCuttableProxy(server().port);
    proxies.push(proxy);
    const url = `http://127.0.0.1:${proxy.port}/`;
    const page = await ChatPage.open(browser(), url, options);
    pages.push(page);
    return { url, proxy, page };
  };
  return {
    serverUrl: () => `http://127.0.0.1:${server().port}`,
    visit,
    async enterAs(base, options) {
      const name = `${base}${++users}`;
      const visitor = await visit(options);
      await visitor.page.enter(name, "Create an account");
      return { name, ...visitor };
    },
    async tabOf({ page, url }) {
      const tab = await ChatPage.tab(page.context, url);
      pages.push(tab);
      return tab;
    },
    async keepPicture(page, name) {
      if (screenshots !== undefined) await page.page.screenshot({ path: join(screenshots, `${name}.png`) });
    },
  };
}
