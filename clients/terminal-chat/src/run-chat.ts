import { type ChappeClient, connect, createTokenSource, DeviceClass, signOut } from "@chappe/sdk/src/index.ts";
import { Chat } from "./chat.ts";
import type { ChatOptions } from "./chat-options.ts";
import { runCommand } from "./commands.ts";
import { type KeptState, openKeptState } from "./kept-state.ts";
import { openSession } from "./sign-in.ts";
import { askPassword, createTerminal, type TerminalStreams } from "./terminal.ts";

const connectTimeoutMs = 15_000;

/** Signs in, connects and chats until the lines end or `stop` aborts; answers the exit code. */
export async function runChat(options: ChatOptions, streams: TerminalStreams, stop: AbortSignal): Promise<number> {
  const { url, name, stateDirectory } = options;
  const mayAsk = Boolean(streams.input.isTTY && streams.output.isTTY);
  let tokens = await openSession(options, mayAsk ? () => askPassword(streams, `password of ${name}: `) : undefined);
  let kept: KeptState | undefined;
  let client: ChappeClient | undefined;
  try {
    kept = stateDirectory === undefined ? undefined : openKeptState(stateDirectory, tokens.userId);
    const onTokens = (fresh: typeof tokens): void => {
      tokens = fresh;
    };
    client = await connect({
      backlog: "none",
      ...kept?.options,
      url,
      getToken: createTokenSource({ url, tokens, onTokens }),
      deviceClass: DeviceClass.DESKTOP,
      agent: "chappe-terminal",
      signal: stop,
      timeoutMs: connectTimeoutMs,
    });
    const terminal = createTerminal(streams);
    stop.addEventListener("abort", () => terminal.close(), { once: true });
    const keepsUnsent = kept !== undefined;
    return await new Chat({ client, terminal, runCommand, url, name, keepsUnsent }).run();
  } finally {
    await client?.close();
    kept?.close();
    // The session was this run's own; a server that is gone ends it by itself.
    await signOut({ url, accessToken: tokens.accessToken, timeoutMs: 2_000 }).catch(() => undefined);
  }
}
