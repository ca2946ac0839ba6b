/** A process for tests to kill: `lock <directory>` or `append <directory>`; it says on its output what it has done. */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { lockDirectory } from "@chappe/mesh/engines/embedded-log/lock-directory.ts";

const [mode, directory] = process.argv.slice(2) as [string, string];
const maxLifeMs = 30_000;
const say = (line: string): void => void writeSync(1, `${line}\n`);

setTimeout(() => process.exit(3), maxLifeMs);
try {
  const lock = lockDirectory(directory);
  // Held on to: a lock that nobody refers to ends when its database is collected.
  process.once("exit", () => lock.release());
} catch (error) {
  say((error as Error).message);
  process.exit(2);
}
say("locked");

if (mode === "append") {
  const log = await createEmbeddedLog({ directory: join(directory, "log"), partitions: 2, segmentBytes: 20_000 });
  const appendLoop = async (lane: number): Promise<void> => {
    for (let i = 0; ; i++) {
      const text = `${process.pid}-${lane}-${i}`;
      const { offset } = await log.append("messages", lane % 2, Buffer.from(text));
      say(`${lane % 2} ${offset} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, lane) => appendLoop(lane)));
}
