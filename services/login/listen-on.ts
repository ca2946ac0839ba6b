import type { Server } from "node:net";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";

/** Settles when the server listens. UNAVAILABLE names the port when it is in use. */
export function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => {
      const text =
        cause.code === "EADDRINUSE" ? `port ${port} of ${host} is in use` : `cannot listen on ${host}:${port}`;
      reject(new ChappeError("UNAVAILABLE", text, { cause }));
    };
    server.once("error", onError);
    server.listen(port, host, () => {
      server.off("error", onError);
      resolve();
    });
  });
}
