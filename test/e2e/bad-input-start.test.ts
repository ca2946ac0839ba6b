import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { expectServes } from "../support/good-message.ts";
import { type HttpUser, registerUser } from "../support/http-user.ts";

const entryPoint = fileURLToPath(new URL("../../services/main.ts", import.meta.url));
const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_AUTH_ATTEMPT_BURST: "100000" };
const startTimeoutMs = 30_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "chappe-start-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ending {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the server, which must end by itself. */
function runServer(...args: string[]): Promise<Ending> {
  const options = { env: { ...process.env, ...env }, timeout: startTimeoutMs };
  return new Promise((resolve) => {
    execFile(process.execPath, [entryPoint, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), stdout, stderr });
    });
  });
}

/** One sentence on stderr, nothing else anywhere, and a code that says failure. */
function expectOneSentence({ code, stdout, stderr }: Ending, sentence: RegExp): void {
  expect(stderr).toMatch(sentence);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(stderr).not.toMatch(/\n\s+at |node:internal|\.ts:\d/);
  expect(stdout).toBe("");
  expect(code).toBe(1);
}

/** Two users of a fresh server, whose messages go through. */
async function expectWorks(server: ServerProcess): Promise<[HttpUser, HttpUser]> {
  const url = `http://127.0.0.1:${server.port}`;
  const users: [HttpUser, HttpUser] = [await registerUser(url, "anna"), await registerUser(url, "boris")];
  await expectServes(...users);
  return users;
}

describe("a data directory that another process has", () => {
  it("is named in one sentence, with its owner, who goes on undisturbed", async () => {
    const owner = await startServer({ dataDir: folder, env });
    try {
      const users = await expectWorks(owner);
      const ending = await runServer("--data", folder, "--port", "0");
      expectOneSentence(ending, new RegExp(`${folder} is in use by process ${owner.pid}`));
      await expectServes(...users);
    } finally {
      await owner.close();
    }
    await (await startServer({ dataDir: folder, env })).close();
  });
});

describe("a port that is in use", () => {
  let other: Server;
  let port: number;
  beforeEach(async () => {
    other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    port = (other.address() as { port: number }).port;
  });
  afterEach(() => new Promise<void>((resolve) => other.close(() => resolve())));

  it("is named in one sentence, and the data directory is free again", async () => {
    const ending = await runServer("--data", folder, "--port", String(port));
    expectOneSentence(ending, new RegExp(`port ${port} of 127\\.0\\.0\\.1 is in use`));
    expect(existsSync(join(folder, "lock.pid"))).toBe(false);
    const server = await startServer({ dataDir: folder, env });
    await expectWorks(server);
    await server.close();
  });

  it("of an own server too, whatever the data directory is", async () => {
    const first = await startServer({ dataDir: join(folder, "a"), env });
    try {
      const users = await expectWorks(first);
      const ending = await runServer("--data", join(folder, "b"), "--port", String(first.port));
      expectOneSentence(ending, new RegExp(`port ${first.port} of 127\\.0\\.0\\.1 is in use`));
      await expectServes(...users);
    } finally {
      await first.close();
    }
  });
});

describe("a Kafka that is not as the settings say", () => {
  it.each(["kafkajs", "platformatic"])("is named with its address when nobody listens there, by %s", async (client) => {
    const args = ["--data", folder, "--port", "0", "--config", join(folder, "settings.json")];
    const settings = { kafkaBrokers: ["127.0.0.1:9"], kafkaClient: client };
    writeFileSync(join(folder, "settings.json"), JSON.stringify(settings));
    const { code, stderr } = await runServer(...args);
    expect(stderr.trimEnd().split("\n").at(-1)).toMatch(
      /UNAVAILABLE: Kafka.* at 127\.0\.0\.1:9 .*correct kafkaBrokers/,
    );
    expect(code).toBe(1);
  });

  it("is asked nothing when the file of its credentials cannot be read", async () => {
    const file = join(folder, "settings.json");
    writeFileSync(file, JSON.stringify({ kafkaBrokers: ["127.0.0.1:9"], kafkaSaslFile: file }));
    const ending = await runServer("--data", folder, "--port", "0", "--config", file);
    expectOneSentence(ending, /INVALID_ARGUMENT: kafkaSaslFile: .* cannot be read as/);
  });
});

describe("other things that a start may meet", () => {
  it("an address that this machine does not have", async () => {
    const ending = await runServer("--data", folder, "--host", "192.0.2.1", "--port", "0");
    expectOneSentence(ending, /192\.0\.2\.1:0/);
  });

  it("a data directory that is a file", async () => {
    const path = join(folder, "file");
    writeFileSync(path, "");
    expectOneSentence(await runServer("--data", path, "--port", "0"), new RegExp(`data directory ${path} `));
  });

  it.each([
    [["--port", "99999"], /port/],
    [["--port", "many"], /port/],
    [["--nonsense"], /--nonsense/],
  ])("%j", async (args, text) => {
    const ending = await runServer("--data", folder, ...args);
    expect(ending).toMatchObject({ code: 1, stdout: "" });
    expect(ending.stderr).toMatch(text);
    expect(ending.stderr).not.toMatch(/\n\s+at /);
  });
});
