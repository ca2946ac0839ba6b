import type { Server } from "node:net";
import { ChappeError } from "../errors/chappe-error.ts";

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Other processes of the machine listen there too, and the kernel spreads what comes. @default false */
  readonly reusePort?: boolean;
}

/** Settles when the server listens. UNAVAILABLE names the port when it is in use. */
export function listenOn(server: Server, { host, port, reusePort = false }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => {
      const text =
        cause.code === "EADDRINUSE" ? `port ${port} of ${host} is in use` : `cannot listen on ${host}:${port}`;
      reject(new ChappeError("UNAVAILABLE", text, { cause }));
    };
    server.once("error", onError);
    server.listen({ host, port, reusePort }, () => {
      server.off("error", onError);
      resolve();
    });
  });
}
