import {
  type ChappeClient,
  type ClientStatus,
  conversationIdToString,
  type ReceivedMessage,
} from "@chappe/sdk/src/index.ts";
import { AddressBook } from "./address-book.ts";
import { errorText } from "./error-text.ts";
import { messageLine, peopleOf } from "./message-line.ts";
import { parseLine } from "./parse-line.ts";
import { Sends } from "./sends.ts";
import type { Terminal } from "./terminal.ts";

/** The conversation that lines without a slash go to. */
export interface OpenConversation {
  readonly id: Uint8Array;
  readonly title: string;
}

/** Runs the command of that name; "quit" = the chat is over. Rejects with what went wrong. */
export type RunCommand = (chat: Chat, name: string, words: readonly string[]) => Promise<"quit" | undefined>;

/** What a chat needs. */
export interface ChatParts {
  readonly client: ChappeClient;
  readonly terminal: Terminal;
  readonly runCommand: RunCommand;
  readonly url: string;
  readonly name: string;
  /** What was not sent is kept for the next run. */
  readonly keepsUnsent: boolean;
}

/** How long the end waits for sends: when lines come from a program, and when a person quits. */
const settleTimeoutMs = 30_000;
const quitTimeoutMs = 3_000;

/** A conversation between a terminal and the client. */
export class Chat {
  readonly client: ChappeClient;
  readonly book: AddressBook;
  readonly print: (text: string) => void;
  readonly #parts: ChatParts;
  readonly #sends: Sends;
  /** Newest seq printed, by conversation. */
  readonly #shown = new Map<string, number>();
  #current: OpenConversation | undefined;
  #connected = false;
  #failed = false;

  constructor(parts: ChatParts) {
    this.#parts = parts;
    this.client = parts.client;
    this.print = (text) => parts.terminal.print(text);
    this.book = new AddressBook(parts.client);
    this.#sends = new Sends(this.print);
  }

  /** The open conversation. */
  get current(): OpenConversation | undefined {
    return this.#current;
  }

  /** Takes lines until they end; answers the exit code: 0 = everything that was asked for was done. */
  async run(): Promise<number> {
    const { client, terminal } = this.#parts;
    const following = [this.#followStatus(), this.#followMessages()];
    for (const send of client.pending) this.#sends.track(send);
    terminal.setPrompt("");
    await this.#run("list", []);
    for await (const line of terminal.lines()) {
      if ((await this.#take(line)) === "quit") break;
      terminal.setPrompt(this.#current?.title ?? "");
    }
    await this.#finish();
    terminal.close();
    await client.close();
    await Promise.all(following);
    return this.#failed || this.#sends.failed > 0 || this.#sends.open > 0 ? 1 : 0;
  }

  /** Makes a conversation the one that lines go to. */
  enter(conversation: OpenConversation): void {
    this.#current = conversation;
  }

  /** Prints messages of one conversation, in order, and marks them read when it is the open one. */
  async show(messages: readonly ReceivedMessage[]): Promise<void> {
    const newest = messages.at(-1);
    if (newest === undefined) return;
    const id = newest.conversationId;
    const key = conversationIdToString(id);
    const nameOf = await this.book.names(messages.flatMap(peopleOf));
    const isOpen = this.#isOpen(id);
    const title = isOpen ? undefined : await this.book.titleOf(id);
    const nowMs = Date.now();
    for (const message of messages) this.print(messageLine(message, nameOf, { nowMs, title }));
    this.#shown.set(key, Math.max(newest.seq, this.#shown.get(key) ?? 0));
    if (isOpen) await this.#markRead(newest);
  }

  #isOpen(conversationId: Uint8Array): boolean {
    return (
      this.#current !== undefined && conversationIdToString(this.#current.id) === conversationIdToString(conversationId)
    );
  }

  /** A mark that is lost now is made by the next message or the next time the conversation is opened. */
  async #markRead({ conversationId, seq }: ReceivedMessage): Promise<void> {
    await this.client
      .conversation(conversationId)
      .markRead(seq)
      .catch(() => undefined);
  }

  async #take(text: string): Promise<"quit" | undefined> {
    const line = parseLine(text);
    if (line.kind === "nothing") return undefined;
    if (line.kind === "message") return this.#say(line.text);
    // A program's command means the state after its messages.
    if (!this.#parts.terminal.interactive && line.name !== "quit") await this.#sends.settled(settleTimeoutMs);
    return this.#run(line.name, line.words);
  }

  async #say(text: string): Promise<undefined> {
    if (this.#current === undefined) {
      this.#complain("no conversation is open: /open NAME, or /help");
      return;
    }
    await this.#sends.room();
    try {
      this.#sends.track(this.client.send(this.#current.id, { text }));
    } catch (error) {
      this.#complain(errorText(error, this.#parts.url));
    }
  }

  async #run(name: string, words: readonly string[]): Promise<"quit" | undefined> {
    try {
      return await this.#parts.runCommand(this, name, words);
    } catch (error) {
      this.#complain(errorText(error, this.#parts.url));
      return undefined;
    }
  }

  #complain(text: string): void {
    // A person sees it and goes on; a program learns it by the exit code.
    if (!this.#parts.terminal.interactive) this.#failed = true;
    this.print(`! ${text}`);
  }

  async #finish(): Promise<void> {
    const { terminal, keepsUnsent, client } = this.#parts;
    if (client.status.state !== "closed")
      await this.#sends.settled(terminal.interactive ? quitTimeoutMs : settleTimeoutMs);
    this.#sends.close();
    const { open } = this.#sends;
    if (open === 0) return;
    const what = open === 1 ? "1 message was" : `${open} messages were`;
    this.print(`! ${what} not sent${keepsUnsent ? "; the next run with this --state sends what is left" : ""}`);
  }

  async #followStatus(): Promise<void> {
    for await (const status of this.client.statusChanges()) this.#onStatus(status);
  }

  #onStatus(status: ClientStatus): void {
    const { url, name, terminal } = this.#parts;
    if (status.state === "online" && !this.#connected) {
      this.#connected = true;
      this.print(`* connected to ${url} as ${name}`);
    } else if (status.state === "offline" && this.#connected) {
      this.#connected = false;
      this.print("* the connection is lost; what you write is kept and sent when it is back");
    } else if (status.state === "closed" && status.reason !== undefined) {
      this.#failed = true;
      this.print(`* the connection is over: ${errorText(status.reason, url)}`);
      terminal.close();
    }
  }

  async #followMessages(): Promise<void> {
    for await (const message of this.client.messages()) {
      // Its line is on the screen already, with its ticks.
      if (message.own && this.#sends.takeOwn(message.clientMessageId)) {
        // What one wrote oneself is not unread; all before it is on the screen.
        if (this.#isOpen(message.conversationId)) await this.#markRead(message);
        continue;
      }
      const shown = this.#shown.get(conversationIdToString(message.conversationId)) ?? 0;
      if (message.seq > shown) await this.show([message]);
    }
  }
}
