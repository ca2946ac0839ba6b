import { ChappeClientError, register, signIn, type Tokens } from "@chappe/sdk/src/index.ts";
import type { ChatOptions } from "./chat-options.ts";

interface ServerSettings {
  readonly demoNames?: readonly string[];
  readonly demoPassword?: string;
}

const timeoutMs = 10_000;

/** The password of a demo account; undefined when the server has none of that name. */
async function demoPasswordOf({ url, name }: ChatOptions): Promise<string | undefined> {
  try {
    const response = await fetch(`${url}/chat-config.json`, { signal: AbortSignal.timeout(timeoutMs) });
    if (!response.ok) return undefined;
    const { demoNames = [], demoPassword } = (await response.json()) as ServerSettings;
    return demoNames.includes(name) ? demoPassword : undefined;
  } catch {
    // Signing in says better what is wrong with the server.
    return undefined;
  }
}

/** Signs in. `ask` = asks a person for a password; undefined when nobody is there. Rejects with ChappeClientError. */
export async function openSession(options: ChatOptions, ask: (() => Promise<string>) | undefined): Promise<Tokens> {
  const { url, name } = options;
  const password = options.password ?? (await demoPasswordOf(options)) ?? (await ask?.());
  if (password === undefined || password === "")
    throw new ChappeClientError("INVALID_ARGUMENT", `a password for ${name} is needed: --password or CHAPPE_PASSWORD`);
  const credentials = { url, name, password, timeoutMs };
  return options.register ? register(credentials) : signIn(credentials);
}
