import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import { encodeLogRecord } from "@chappe/mesh/codec/log-record.ts";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { expect, test } from "vitest";
import { deadLetters, textEntry, withBadEnvelope } from "../engines/poison-kit.ts";

const entryPoint = fileURLToPath(new URL("../../services/main.ts", import.meta.url));
const partition = 2;

async function readiness(server: ServerProcess): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${server.ready.opsPort}/readyz`);
  expect(answer.status).toBe(200);
  return answer.text();
}

test("a damaged record is in the answer of /readyz until an operator has it skipped", async () => {
  const folder = mkdtempSync(join(tmpdir(), "chappe-damaged-"));
  const start = () => startServer({ dataDir: folder, args: ["--ops-port", "0", "--no-dev"] });
  const onLog = async <T>(use: (log: Awaited<ReturnType<typeof createEmbeddedLog>>) => Promise<T>): Promise<T> => {
    const log = await createEmbeddedLog({ directory: join(folder, "log") });
    try {
      return await use(log);
    } finally {
      await log.close();
    }
  };
  const skip = (offset: number) =>
    promisify(execFile)(process.execPath, [
      ...[entryPoint, "skip-record", "--data", folder],
      ...["--partition", `${partition}`, "--offset", `${offset}`],
    ]);
  try {
    await onLog(async (log) => {
      const bytes = [encodeLogRecord([textEntry(1, "sound")]), withBadEnvelope([textEntry(1, "lost")])];
      for (const payload of bytes) await log.append("messages", partition, payload);
    });
    const stopped = await start();
    expect(await readiness(stopped)).toMatch(/^ok; .*: 2 at offset 1\n$/);
    const lines = stopped.errorText().trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({ event: "msg-writer.stopped", partition, offset: 1 }),
    );
    await stopped.close();
    await expect(skip(0)).rejects.toThrow(/offset: is not 1, at which partition 2 stands/);
    expect(JSON.parse((await skip(1)).stdout)).toEqual({ skipped: { partition, offset: 1 } });
    const running = await start();
    expect(await readiness(running)).toBe("ok\n");
    await running.close();
    const [letter] = await onLog(deadLetters);
    expect(letter).toMatchObject({ partition, offset: 1n });
    expect(letter!.found).toHaveLength(withBadEnvelope([textEntry(1, "lost")]).length);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
