import { join } from "node:path";
import { createEngineServer } from "@chappe/mesh/dev-engines/engine-server.ts";
import { fetchJars } from "@chappe/mesh/dev-engines/fetch-jars.ts";
import { freePort } from "@chappe/mesh/dev-engines/free-port.ts";
import { openRunDirectory } from "@chappe/mesh/dev-engines/run-directory.ts";

const startTimeoutMs = 90_000;
const checkTimeoutMs = 2_000;
const heapMb = 256;
const jar = "zipkin-server-3.5.1-exec.jar";

/** A store of traces with a page to look at them, in memory. */
export interface ZipkinServer {
  /** Of its page and its API, on 127.0.0.1. */
  readonly url: string;
  close(): Promise<void>;
}

/** Starts Zipkin and waits until it answers. UNAVAILABLE with the end of its log if it does not. */
export async function startZipkin(): Promise<ZipkinServer> {
  const jars = await fetchJars("zipkin");
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const run = openRunDirectory("zipkin", undefined);
  const address = { port, ip: "127.0.0.1", "protocols[0]": "http" };
  const settings = Object.entries(address).map(([name, value]) => `-Darmeria.ports[0].${name}=${value}`);
  const server = createEngineServer({
    what: `zipkin on port ${port}`,
    process: {
      program: "java",
      args: ["-XX:TieredStopAtLevel=1", `-Xmx${heapMb}m`, "-XX:+UseSerialGC", ...settings, "-jar", join(jars, jar)],
      cwd: run.path,
      logFile: join(run.path, "zipkin.log"),
      ...(run.temporary !== undefined && { temporaryDirectory: run.temporary }),
    },
    async check() {
      const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(checkTimeoutMs) });
      if (!answer.ok) throw new Error(`it answers ${answer.status}`);
    },
    timeoutMs: startTimeoutMs,
  });
  const close = async (): Promise<void> => {
    await server.kill("SIGKILL");
    run.remove();
  };
  try {
    await server.ready();
  } catch (error) {
    await close();
    throw error;
  }
  return { url, close };
}
