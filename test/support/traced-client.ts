import { type ChappeClient, type ConnectOptions, connect } from "@chappe/sdk/src/index.ts";
import { collect } from "@chappe/sdk/test-support/collect.ts";
import { vi } from "vitest";
import type { HttpUser } from "./http-user.ts";

/** An application on the SDK, which reports what it sees of traced messages. */
export interface TracedClient {
  readonly client: ChappeClient;
  /** Sends a text; answers its id, in hexadecimal, once it has its place or is refused. */
  send(conversationId: string, text?: string): Promise<string>;
  /** Settles when the application has the message. */
  received(id: string): Promise<void>;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Connects a user; reports go out quickly. */
export async function openTracedClient(
  url: string,
  { token }: Pick<HttpUser, "token">,
  options: Partial<ConnectOptions> = {},
): Promise<TracedClient> {
  const client = await connect({ url, token, limits: { spanReportMs: 400 }, ...options });
  const { all } = collect(client);
  return {
    client,
    async send(conversationId, text = "hello") {
      const handle = client.send(Buffer.from(conversationId, "base64"), { text });
      await handle.sequenced.catch(() => undefined);
      return hexOf(handle.clientMessageId);
    },
    async received(id) {
      const has = (): boolean => all.some(({ clientMessageId }) => hexOf(clientMessageId) === id);
      await vi.waitUntil(has, { timeout: 10_000, interval: 20 });
    },
  };
}
