import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { printable } from "./printable.ts";

/** Where a chat reads lines and writes them. */
export interface Terminal {
  /** A person types; otherwise the lines come from a file or another program. */
  readonly interactive: boolean;
  /** The lines, until the input ends or `close`. Read them once. */
  lines(): AsyncIterable<string>;
  /** Writes an entry above what is being typed. Whatever the text holds, the terminal obeys none of it. */
  print(text: string): void;
  /** Names what the next line goes to. */
  setPrompt(text: string): void;
  close(): void;
}

/** What is read and written. */
export interface TerminalStreams {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/** Opens the terminal; input waits until `lines` is called. */
export function createTerminal({ input, output }: TerminalStreams): Terminal {
  const interactive = Boolean(input.isTTY && output.isTTY);
  const lines = createInterface({ input, terminal: interactive, ...(interactive && { output }) });
  const iterator = lines[Symbol.asyncIterator]();
  let open = true;
  lines.once("close", () => {
    open = false;
  });
  const prompt = (): void => {
    if (interactive && open) lines.prompt(true);
  };
  return {
    interactive,
    lines: () => ({ [Symbol.asyncIterator]: () => iterator }),
    print(text) {
      if (interactive) output.write("\r\u001b[K");
      output.write(`${printable(text)}\n`);
      prompt();
    },
    setPrompt(text) {
      lines.setPrompt(`${printable(text)}> `);
      prompt();
    },
    close: () => lines.close(),
  };
}

/** Asks a person for a password, which is not shown. */
export function askPassword({ input, output }: TerminalStreams, question: string): Promise<string> {
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: silence, terminal: true });
  output.write(printable(question));
  return new Promise((resolve) => {
    const done = (answer: string): void => {
      output.write("\n");
      resolve(answer);
      lines.close();
    };
    lines.once("line", done);
    lines.once("SIGINT", () => done(""));
    lines.once("close", () => resolve(""));
  });
}
