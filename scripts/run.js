/**
 * Runs a command of the project: `node scripts/run.js <command> [arguments]`.
 * Plain JavaScript for whichever Node (20 or newer) the machine has; the command itself runs under the project's Node.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureInstalled, pathWithoutPackages, runtimePath } from "./install.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Command -> the program that the project's Node runs. */
const commands = {
  serve: ["services/main.ts", "serve"],
  chappe: ["services/main.ts"],
  test: ["scripts/test.ts"],
  check: ["scripts/check.ts"],
  chat: ["clients/terminal-chat/main.ts"],
  bench: ["bench/main.ts"],
  faults: ["test/faults/main.ts"],
  transports: ["test/transports/main.ts"],
  pictures: ["test/pictures/main.ts"],
  generate: ["scripts/generate.ts"],
  format: ["scripts/format.ts"],
};

const say = (line) => process.stderr.write(`${line}\n`);

/** Runs the program until it ends; resolves with the exit code. Signals go on to it. */
function runProgram(args) {
  const bin = join(root, "node_modules", ".bin");
  const path = `${bin}${delimiter}${pathWithoutPackages(process.env.PATH ?? "")}`;
  const child = spawn(runtimePath(root), args, { cwd: root, env: { ...process.env, PATH: path }, stdio: "inherit" });
  // A terminal sends Ctrl-C to the whole process group; passing it on would make it two.
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  process.on("SIGINT", () => hasTerminal || child.kill("SIGINT"));
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.on("SIGHUP", () => child.kill("SIGHUP"));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

async function main() {
  const [command, ...args] = process.argv.slice(2);
  const program = Object.hasOwn(commands, command ?? "") ? commands[command] : undefined;
  if (program === undefined) {
    say(`usage: node scripts/run.js ${Object.keys(commands).join("|")} [arguments]`);
    return 2;
  }
  await ensureInstalled(root, say);
  return runProgram([...program, ...args]);
}

main().then(
  (code) => process.exit(code),
  (error) => {
    say(error.message);
    process.exit(1);
  },
);
