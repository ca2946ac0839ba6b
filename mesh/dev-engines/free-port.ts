import { createServer } from "node:net";
import { ChappeError } from "../errors/chappe-error.ts";

/** Below what Linux gives to outgoing connections, so that an engine finds its port again when it restarts. */
const firstPort = 20_000;
const portCount = 12_000;
const mostTries = 200;

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });

/** A random port of 127.0.0.1 that nobody listens on, and neither on the ones at these distances from it. */
export async function freePort(distances: readonly number[] = []): Promise<number> {
  for (let tries = 0; tries < mostTries; tries++) {
    const port = firstPort + Math.floor(Math.random() * portCount);
    const free = await Promise.all([0, ...distances].map((distance) => isFree(port + distance)));
    if (free.every(Boolean)) return port;
  }
  throw new ChappeError("UNAVAILABLE", `no free port among ${mostTries} random ones from ${firstPort} on`);
}

/** UNAVAILABLE names the ports of 127.0.0.1 that somebody listens on: whoever answers there is not ours. */
export async function wantFreePorts(ports: readonly number[]): Promise<void> {
  const free = await Promise.all(ports.map(isFree));
  const taken = ports.filter((_, i) => !free[i]);
  if (taken.length > 0) throw new ChappeError("UNAVAILABLE", `in use on 127.0.0.1: port ${taken.join(", ")}`);
}
