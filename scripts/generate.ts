/** `npm run generate`: writes the generated code from proto/, and the example of Envoy's configuration that it leads to. */
import { generateCode } from "./generate-code.ts";
import { root, runProgram } from "./run-program.ts";

const exampleTimeoutMs = 60_000;
const { code, output } = await generateCode(root);
if (code !== 0) process.stderr.write(output);
process.exitCode = code;
if (code === 0) {
  // A program of its own: this one may have loaded what was there before.
  const args = [
    "services/main.ts",
    "envoy",
    "config",
    "--settings",
    "deploy/envoy/settings.json",
    "--out",
    "deploy/envoy",
  ];
  const example = await runProgram("node", args, { timeoutMs: exampleTimeoutMs });
  if (example.code !== 0) process.stderr.write(example.output);
  process.exitCode = example.code;
}
