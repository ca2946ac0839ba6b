import { randomBytes } from "node:crypto";
import { Agent, request } from "node:http";

/** A registered user with a token. */
export interface Account {
  /** User id, decimal. */
  readonly userId: string;
  readonly name: string;
  readonly token: string;
}

const registerTimeoutMs = 30_000;

/** Calls a method over HTTP as Connect JSON does. Throws with the server's text on any answer but 200. */
export function callHttp(port: number, method: string, body: unknown, options: CallHttpOptions = {}): Promise<unknown> {
  const text = JSON.stringify(body);
  const headers: Record<string, string | number> = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "connect-protocol-version": "1",
  };
  if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`;
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: "127.0.0.1",
        port,
        path: `/${method}`,
        method: "POST",
        headers,
        agent: options.agent,
        timeout: registerTimeoutMs,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const answer = Buffer.concat(chunks).toString("utf8");
          if (response.statusCode === 200) resolve(JSON.parse(answer));
          else reject(new Error(`${method} answered ${response.statusCode}: ${answer.slice(0, 500)}`));
        });
      },
    );
    call.on("timeout", () => call.destroy(new Error(`${method} took more than ${registerTimeoutMs} ms`)));
    call.on("error", reject);
    call.end(text);
  });
}

/** Options of callHttp. */
export interface CallHttpOptions {
  readonly token?: string;
  readonly agent?: Agent;
}

/** Options of registerAccounts. */
export interface RegisterOptions {
  readonly port: number;
  readonly count: number;
  /** Registrations at once; the server checks two passwords at a time. @default 16 */
  readonly concurrency?: number;
}

/** Registers fresh users with random names over HTTP. */
export async function registerAccounts({ port, count, concurrency = 16 }: RegisterOptions): Promise<Account[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const run = randomBytes(5).toString("hex");
  const accounts: Account[] = [];
  let started = 0;
  const worker = async (): Promise<void> => {
    while (started < count) {
      const index = started++;
      const name = `load-${run}-${index}`;
      const body = { name, password: randomBytes(12).toString("hex") };
      const answer = (await callHttp(port, "chappe.business.v1.AuthService/Register", body, {
        agent,
      })) as RegisterAnswer;
      accounts[index] = { userId: answer.tokens.userId, name, token: answer.tokens.accessToken };
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  } finally {
    agent.destroy();
  }
  return accounts;
}

interface RegisterAnswer {
  readonly tokens: { readonly userId: string; readonly accessToken: string };
}
