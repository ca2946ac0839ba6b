/** `npm run generate`: writes the generated code from proto/. */
import { generateCode } from "./generate-code.ts";
import { root } from "./run-program.ts";

const { code, output } = await generateCode(root);
if (code !== 0) process.stderr.write(output);
process.exitCode = code;
