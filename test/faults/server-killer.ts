import { type ServerOptions, type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import type { SeededRandom } from "../history/seeded-random.ts";
import { monotonicUs } from "./history-recorder.ts";

/** From the first ack after a start to the next kill. */
const minQuietMs = 300;
const maxQuietMs = 2_000;
/** From the send that triggers a kill to the kill: inside the server's work on it. */
const maxAimMs = 8;
const recoveryTimeoutMs = 60_000;

/** One kill. */
export interface Kill {
  /** What was done. */
  readonly what: string;
  /** When, on the clock of the history. */
  readonly startUs: number;
  /** Sends on the wire without an answer at that moment. */
  readonly inFlight: number;
  /** From the kill to the first ack after it, in milliseconds. */
  readonly recoveryMs: number;
  /** Acks of sends that nothing can have stored. */
  readonly faked: number;
}

/** What a killer needs. */
export interface ServerKillerOptions {
  readonly server: ServerOptions;
  readonly random: SeededRandom;
  /** Sends on the wire without an answer. */
  readonly inFlight: () => number;
}

/** Keeps a server process running, and kills it with SIGKILL while sends are in flight. */
export class ServerKiller {
  readonly #options: ServerKillerOptions;
  #server: ServerProcess | undefined;
  #onAck: (() => void) | undefined;
  #onSending: (() => void) | undefined;

  constructor(options: ServerKillerOptions) {
    this.#options = options;
  }

  /** Starts the first server; answers its port, which all later ones take over. */
  async start(): Promise<number> {
    this.#server = await startServer(this.#options.server);
    return this.#server.port;
  }

  /** To be called at every ack. */
  acked(): void {
    this.#onAck?.();
    this.#onAck = undefined;
  }

  /** To be called whenever a send goes to the wire. */
  sending(): void {
    this.#onSending?.();
  }

  /** Waits a random while, kills, starts again on the same directory and port, waits for the first ack. */
  async killOnce(): Promise<Kill> {
    const { random } = this.#options;
    const server = this.#server!;
    await wait(minQuietMs + random.next() * (maxQuietMs - minQuietMs));
    const inFlight = await this.#killInFlight(server);
    const [killedMs, startUs] = [performance.now(), monotonicUs()];
    await server.exited;
    const acked = new Promise<void>((resolve) => {
      this.#onAck = resolve;
    });
    this.#server = await startServer({ ...this.#options.server, port: server.port });
    await Promise.race([acked, timeout(recoveryTimeoutMs, "no ack in time after a restart"), this.#died()]);
    return { what: "kill", startUs, inFlight, recoveryMs: performance.now() - killedMs, faked: 0 };
  }

  /** SIGTERM. */
  async close(): Promise<void> {
    await this.#server?.close();
  }

  /** Rejects when the present server ends by itself. */
  async #died(): Promise<never> {
    const server = this.#server!;
    const how = await server.exited;
    throw new Error(`the server ended by itself (${how})\n${server.errorText()}`);
  }

  /** Kills a few milliseconds after a send has gone out, when it, or another, is still without an answer. */
  async #killInFlight(server: ServerProcess): Promise<number> {
    const died = this.#died();
    died.catch(() => {});
    for (;;) {
      const sending = new Promise<void>((resolve) => {
        this.#onSending = resolve;
      });
      await Promise.race([sending, timeout(recoveryTimeoutMs, "nothing was sent in time"), died]);
      this.#onSending = undefined;
      await wait(this.#options.random.next() * maxAimMs);
      const inFlight = this.#options.inFlight();
      if (inFlight === 0) continue;
      process.kill(server.pid, "SIGKILL");
      return inFlight;
    }
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function timeout(ms: number, text: string): Promise<never> {
  return new Promise((_, reject) => setTimeout(() => reject(new Error(text)), ms).unref());
}
