import { delimiter, join } from "node:path";
import type { BackendProgram } from "./backend.ts";
import { examples } from "./run-tool.ts";
import { goExample, javaExample, pythonWithGrpc } from "./tools.ts";

/** The example backends, built. */
export const languages = {
  go: async (): Promise<BackendProgram> => ({ program: await goExample("dice"), args: [] }),
  python: async (): Promise<BackendProgram> => ({
    program: await pythonWithGrpc(),
    args: [join(examples, "python/dice.py")],
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  }),
  java: async (): Promise<BackendProgram> => {
    const folder = await javaExample();
    const classPath = [join(folder, "classes"), join(folder, "lib/*")].join(delimiter);
    return { program: "java", args: ["-Xmx128m", "-cp", classPath, "example.dice.Dice"] };
  },
} as const;
