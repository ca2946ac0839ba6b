import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { chromium } from "playwright-core";

const chromiumPath = process.env.CHAPPE_CHROMIUM ?? "/usr/bin/chromium";
const quietFlags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** Of the accounts that pages make. */
export const pagePassword = "semaphore-1794";

/** The system's Chromium, without a window and without talking to anybody. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath, args: quietFlags });
}

/** How a browser window is set up. */
export interface WindowOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
}

/** The chat page in one tab, used as a person does. */
export class ChatPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Uncaught errors of the page, and what its content policy forbade. */
  readonly errors: string[] = [];

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) this.errors.push(message.text());
    });
  }

  /** A tab of its own browser profile. */
  static async open(browser: Browser, url: string, options: WindowOptions = {}): Promise<ChatPage> {
    const { width = 1_000, height = 640, colorScheme = "light" } = options;
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale: "en-GB" });
    return ChatPage.tab(context, url);
  }

  /** One more tab of a profile. */
  static async tab(context: BrowserContext, url: string): Promise<ChatPage> {
    const tab = new ChatPage(context, await context.newPage());
    await tab.page.goto(url);
    return tab;
  }

  async enter(name: string, button: "Sign in" | "Create an account"): Promise<void> {
    await this.page.getByLabel("Name", { exact: true }).fill(name);
    await this.page.getByLabel("Password").fill(pagePassword);
    await this.page.getByRole("button", { name: button }).click();
    await this.page.getByRole("button", { name: "New chat" }).waitFor();
  }

  /** Waits until the page can be opened without its server. */
  async isKept(): Promise<void> {
    await this.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  }

  async startChat(name: string): Promise<void> {
    await this.page.getByRole("button", { name: "New chat" }).click();
    await this.page.getByLabel("With (user name)").fill(name);
    await this.page.getByRole("button", { name: "Open" }).click();
    await this.page.getByRole("heading", { level: 2, name }).waitFor();
  }

  async openChat(title: string): Promise<void> {
    await this.item(title).click();
    await this.page.getByRole("heading", { level: 2, name: title }).waitFor();
  }

  async say(text: string): Promise<void> {
    await this.page.getByRole("textbox", { name: "Message" }).fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** The item of a conversation in the list. */
  item(title: string): Locator {
    return this.page.locator(".item", { hasText: title });
  }

  /** Waits until a message with this text is shown. */
  async sees(text: string): Promise<void> {
    await this.page.locator(".bubble-text", { hasText: text }).last().waitFor();
  }

  /** Texts of the bubbles, from top to bottom. */
  texts(): Promise<string[]> {
    return this.page.locator(".bubble-text").allTextContents();
  }

  /** Waits for the tick of the message with this text. */
  async tick(text: string, state: "waiting" | "sent" | "delivered" | "read"): Promise<void> {
    const bubble = this.page.locator(".bubble", { hasText: text }).last();
    await bubble.getByRole("img", { name: state, exact: true }).waitFor();
  }

  close(): Promise<void> {
    return this.context.close();
  }
}
