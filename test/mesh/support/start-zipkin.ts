import { join } from "node:path";
import { engineVersions } from "@chappe/mesh/dev-engines/engine-defaults.ts";
import { fetchJars } from "@chappe/mesh/dev-engines/fetch-jars.ts";
import { freePort } from "@chappe/mesh/dev-engines/free-port.ts";
import { answersWell, startProgram } from "./start-program.ts";

const startTimeoutMs = 90_000;
const checkTimeoutMs = 2_000;
const heapMb = 256;

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
  const address = { port, ip: "127.0.0.1", "protocols[0]": "http" };
  const settings = Object.entries(address).map(([name, value]) => `-Darmeria.ports[0].${name}=${value}`);
  const java = ["-XX:TieredStopAtLevel=1", `-Xmx${heapMb}m`, "-XX:+UseSerialGC"];
  const close = await startProgram({
    name: "zipkin",
    program: "java",
    prepare: () => [...java, ...settings, "-jar", join(jars, `zipkin-server-${engineVersions.zipkin}-exec.jar`)],
    check: () => answersWell(`${url}/health`, {}, checkTimeoutMs),
    timeoutMs: startTimeoutMs,
  });
  return { url, close };
}
