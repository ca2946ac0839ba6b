import { createServer, type Server, type Socket } from "node:net";
import { listenOn } from "./listen-on.ts";

/** Further addresses of a server. */
export interface FurtherAddresses {
  readonly hosts: readonly string[];
  readonly port: number;
  /** Other processes of the machine listen there too. */
  readonly reusePort: boolean;
}

/**
 * Listens on further addresses for a server that listens already; all together have at most `server.maxConnections`
 * sockets. A proxy has one port per connection to an (address, port), so that several of them let it have more.
 * UNAVAILABLE names the port that is in use, and then none stays open. Answers the end, which waits for their sockets.
 */
export async function listenAlso(
  server: Server,
  { hosts, port, reusePort }: FurtherAddresses,
): Promise<() => Promise<void>> {
  if (hosts.length === 0) return async () => {};
  let open = 0;
  server.prependListener("connection", (socket: Socket) => {
    open++;
    socket.once("close", () => open--);
    if (open > server.maxConnections) socket.destroy();
  });
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((one) => new Promise<void>((resolve) => one.close(() => resolve()))));
  };
  for (const host of hosts) {
    const further = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      if (open >= server.maxConnections) socket.destroy();
      else server.emit("connection", socket);
    });
    try {
      await listenOn(further, { host, port, reusePort });
    } catch (error) {
      await close();
      throw error;
    }
    servers.push(further);
  }
  return close;
}
