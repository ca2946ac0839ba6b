import type { ChappeClientError, SendHandle } from "@chappe/sdk/src/index.ts";
import { errorText } from "./error-text.ts";
import { excerpt } from "./message-line.ts";

/** Messages without an outcome; over it the next line waits. */
const maxOpenSends = 1_000;

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const nextStates = ["delivered", "read"] as const;

/** This terminal's sends, from the line to the tick. */
export class Sends {
  readonly #print: (text: string) => void;
  readonly #open = new Set<SendHandle>();
  /** Hexadecimal client message ids. */
  readonly #own = new Set<string>();
  #failed = 0;
  #closing = false;

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  /** Sends without an outcome. */
  get open(): number {
    return this.#open.size;
  }

  /** Sends that the server refused. */
  get failed(): number {
    return this.#failed;
  }

  /** Whether the message was sent from here; asked once of each, when it comes back. */
  takeOwn(clientMessageId: Uint8Array): boolean {
    return this.#own.delete(toHex(clientMessageId));
  }

  /** Prints how far the send gets. */
  track(send: SendHandle): void {
    this.#open.add(send);
    this.#own.add(toHex(send.clientMessageId));
    const { kind } = send.content;
    const text = excerpt(kind.case === "text" ? kind.value.text : `(${kind.case})`);
    const tell = (state: string) => (): void => this.#print(`-- ${state}: ${text}`);
    const ignore = (): void => {};
    send.durable.then(tell("sent"), ignore);
    for (const state of nextStates) send[state].then(tell(state), ignore);
    const settle = (): boolean => this.#open.delete(send);
    send.sequenced.then(settle, (error: ChappeClientError) => {
      if (this.#closing) return;
      settle();
      this.takeOwn(send.clientMessageId);
      this.#failed++;
      this.#print(`-- not sent: ${text} (${errorText(error)})`);
    });
  }

  /** Settles when there is room for one more. */
  async room(): Promise<void> {
    while (this.#open.size >= maxOpenSends) await this.#oldest();
  }

  /** Settles when every send has its outcome, or the time is up. */
  async settled(timeoutMs: number): Promise<void> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const over = new Promise<void>((resolve) => deadline.addEventListener("abort", () => resolve(), { once: true }));
    while (this.#open.size > 0 && !deadline.aborted) await Promise.race([this.#oldest(), over]);
  }

  /** What has no outcome from now on will have it in another run, or never. */
  close(): void {
    this.#closing = true;
  }

  async #oldest(): Promise<void> {
    const [send] = this.#open;
    await send?.sequenced.catch(() => undefined);
  }
}
