import type { ChappeClient } from "../src/client.ts";
import { connect } from "../src/connect.ts";
import type { ConnectOptions } from "../src/connect-options.ts";
import { fastLimits } from "./fast-limits.ts";
import { ScriptedServer, type ScriptedServerOptions } from "./scripted-server.ts";

/** A scripted server and its clients, closed together. */
export interface Fixture {
  readonly server: ScriptedServer;
  /** Connects user `user`. */
  join(user: number, options?: Partial<ConnectOptions>): Promise<ChappeClient>;
  close(): Promise<void>;
}

/** Starts a server; the clients use `fastLimits`. */
export async function startFixture(options: ScriptedServerOptions = {}): Promise<Fixture> {
  const server = await ScriptedServer.start(options);
  const clients: ChappeClient[] = [];
  return {
    server,
    async join(user, more = {}) {
      const limits = { ...fastLimits, ...more.limits };
      const client = await connect({ url: server.url, token: `user-${user}`, ...more, limits });
      clients.push(client);
      return client;
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      await server.close();
    },
  };
}

/** The first status in this state. */
export async function statusOf(client: ChappeClient, state: string): Promise<ChappeClient["status"]> {
  for await (const status of client.statusChanges()) if (status.state === state) return status;
  throw new Error(`never ${state}`);
}
