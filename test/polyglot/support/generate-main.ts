/** `node test/polyglot/support/generate-main.ts`: writes examples/go/gen and examples/python/gen from the contracts. */
import { generateGo, generatePython } from "./generate-examples.ts";

await Promise.all([generateGo(), generatePython()]);
