/** `npm run format`: formats every file and organises imports. */
import { runProgram } from "./run-program.ts";

const paths = process.argv.slice(2);
const { code } = await runProgram("biome", ["check", "--write", ...(paths.length > 0 ? paths : ["."])], {
  timeoutMs: 120_000,
  inherit: true,
});
process.exitCode = code;
