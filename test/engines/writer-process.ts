import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import type { KafkaClientName } from "@chappe/mesh/engines/kafka-log/kafka-log-options.ts";
import type { MysqlOptions } from "@chappe/mesh/engines/mysql/mysql-options.ts";

/** What a writer process works on. */
export interface WriterChildSettings {
  readonly brokers: readonly string[];
  readonly partitions: number;
  readonly prefix: string;
  readonly client: KafkaClientName;
  readonly mysql: MysqlOptions;
}

/** What it says. */
export interface WriterEvent {
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly event: "assigned" | "claimed" | "committed" | "refused" | "revoked";
  readonly partitions: readonly number[];
  /** Of a refused commit. */
  readonly error?: string;
}

const pollMs = 20;

/** A MsgWriter in a process of its own. */
export class WriterProcess {
  readonly events: WriterEvent[] = [];
  readonly #child: ChildProcess;

  constructor(settings: WriterChildSettings) {
    const script = join(import.meta.dirname, "writer-child.ts");
    this.#child = spawn(process.execPath, [script, JSON.stringify(settings)], { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.events.push(JSON.parse(line)));
  }

  /** The partitions of its last claim. */
  get owned(): readonly number[] {
    return this.events.findLast(({ event }) => event === "claimed")?.partitions ?? [];
  }

  async until(holds: (writer: WriterProcess) => boolean): Promise<void> {
    while (!holds(this)) await pause(pollMs);
  }

  /** It stops before its next commit; settles when it has. */
  async stopAtCommit(): Promise<void> {
    this.#child.stdin!.write("stop\n");
    const state = (): string | undefined => readFileSync(`/proc/${this.#child.pid}/stat`, "latin1").split(") ")[1]?.[0];
    while (state() !== "T") await pause(pollMs);
  }

  wake(): void {
    this.#child.kill("SIGCONT");
  }

  /** kill -9; settles when it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await closed;
  }
}
