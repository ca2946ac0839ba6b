import { parseArgs } from "node:util";
import { ChappeClientError } from "@chappe/sdk/src/index.ts";

/** Settings of a terminal chat. */
export interface ChatOptions {
  /** Account name. */
  readonly name: string;
  /** undefined = a demo account's, or asked for. */
  readonly password: string | undefined;
  readonly url: string;
  /** Make the account first. */
  readonly register: boolean;
  /** Folder that keeps what was not sent and what was seen; undefined = memory. */
  readonly stateDirectory: string | undefined;
}

/** How to call the program. */
export const usage = `usage: npm run chat -- --as NAME [--password P] [--url URL] [--register] [--state DIR]

  --as NAME      account name (or CHAPPE_USER)
  --password P   its password (or CHAPPE_PASSWORD); demo accounts of a development server need none
  --url URL      the server (or CHAPPE_URL; default http://127.0.0.1:8080)
  --register     make the account first
  --state DIR    keep unsent messages and what was seen in DIR, for one terminal at a time (or CHAPPE_CHAT_STATE)`;

const options = {
  as: { type: "string" },
  password: { type: "string" },
  url: { type: "string" },
  state: { type: "string" },
  register: { type: "boolean" },
  help: { type: "boolean" },
} as const;

const refuse = (text: string): never => {
  throw new ChappeClientError("INVALID_ARGUMENT", `${text}\n${usage}`);
};

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

/** Reads settings from arguments and the environment; undefined = help was asked for. Throws INVALID_ARGUMENT. */
export function readChatOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ChatOptions | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const name = values.as ?? env.CHAPPE_USER ?? "";
  if (name === "") refuse("--as NAME is needed");
  const url = values.url ?? env.CHAPPE_URL ?? `http://127.0.0.1:${env.CHAPPE_PORT ?? "8080"}`;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) refuse(`--url: ${url} is no http or https URL`);
  return {
    name,
    password: values.password ?? env.CHAPPE_PASSWORD,
    url: url.replace(/\/+$/, ""),
    register: values.register ?? false,
    stateDirectory: values.state ?? env.CHAPPE_CHAT_STATE,
  };
}
