/** Chats from a terminal: `npm run chat -- --as alice`. Lines may also come from a file or a program. */
import { readChatOptions, usage } from "./src/chat-options.ts";
import { errorText } from "./src/error-text.ts";
import { printable } from "./src/printable.ts";
import { runChat } from "./src/run-chat.ts";

async function main(): Promise<number> {
  const options = readChatOptions(process.argv.slice(2), process.env);
  if (options === undefined) {
    console.log(usage);
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
  try {
    return await runChat(options, { input: process.stdin, output: process.stdout }, stop.signal);
  } catch (error) {
    process.stderr.write(`chat: ${printable(errorText(error, options.url))}\n`);
    return 1;
  }
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    process.stderr.write(`chat: ${error.message}\n`);
    process.exit(2);
  },
);
