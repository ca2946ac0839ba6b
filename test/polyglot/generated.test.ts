import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { generateGo, generatePython } from "./support/generate-examples.ts";
import { examples } from "./support/run-tool.ts";

const target = mkdtempSync(join(tmpdir(), "chappe-generated-examples-"));
afterAll(() => rmSync(target, { recursive: true, force: true }));

/** Path -> text of the generated files under a folder. */
function filesOf(folder: string): ReadonlyMap<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => /\.(go|py)$/.test(path));
  return new Map(paths.map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

it.each([
  ["go", generateGo],
  ["python", generatePython],
] as const)(
  "the examples' code in %s is that of the contracts",
  async (language, generate) => {
    await generate(target);
    const [fresh, present] = [target, examples].map((root) => filesOf(join(root, language, "gen")));
    expect([...present!.keys()].sort()).toEqual([...fresh!.keys()].sort());
    const outdated = [...fresh!].flatMap(([path, text]) => (present!.get(path) === text ? [] : [path]));
    expect(outdated, "run: node test/polyglot/support/generate-main.ts").toEqual([]);
  },
  600_000,
);
