import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LoadAnswer, LoadConfig } from "../generator/load-config.ts";

const generatorPath = fileURLToPath(new URL("../generator/main.ts", import.meta.url));

/** Runs one load in a process of its own. Rejects with the load's own error, or when it takes more than `timeoutMs`. */
export function runGenerator(config: LoadConfig, timeoutMs: number): Promise<LoadAnswer> {
  return new Promise((resolve, reject) => {
    const child = fork(generatorPath, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const kill = (): boolean => child.kill("SIGKILL");
    process.once("exit", kill);
    const timer = setTimeout(() => {
      kill();
      reject(new Error(`the load generator took more than ${timeoutMs} ms`));
    }, timeoutMs);
    child.once("message", (answer) => {
      const { error } = answer as { error?: string };
      if (error === undefined) resolve(answer as LoadAnswer);
      else reject(new Error(error));
    });
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      process.removeListener("exit", kill);
      reject(new Error(`the load generator ended (${signal ?? code}) without an answer`));
    });
    child.send(config);
  });
}
