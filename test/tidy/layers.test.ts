import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { importsOf } from "./imports.ts";
import { layerProblems, undeclaredImports } from "./layer-rules.ts";
import { readFiles, root } from "./source-files.ts";

const files = readFiles([".ts"]);
const packages = new Map<string, ReadonlySet<string>>();

function declared(workspace: string): ReadonlySet<string> {
  let names = packages.get(workspace);
  if (names === undefined) {
    const path = join(root, workspace, "package.json");
    const json = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
    names = new Set(Object.keys({ ...json.dependencies, ...json.devDependencies, ...json.peerDependencies }));
    packages.set(workspace, names);
  }
  return names;
}

const problemsOf = (path: string, text: string): string[] => layerProblems({ path, text });

describe("layers", () => {
  it("hold in every file", () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.flatMap(layerProblems)).toEqual([]);
  });

  it.each([
    ["mesh/a/b.ts", 'import { x } from "@chappe/services/a/b.ts";'],
    ["mesh/a/b.ts", 'import { x } from "../../services/a/b.ts";'],
    ["mesh/a/b.ts", 'import { x } from "@chappe/mesh/ids/uuid-v7.ts";'],
    ["mesh/a/b.ts", 'import { x } from "./c";'],
    ["gen/a.ts", 'import type { x } from "@chappe/mesh/limits.ts";'],
    ["services/login/a.ts", 'import {\n  type X,\n} from "../online/b.ts";'],
    ["services/login/a.ts", 'const x = await import("../online/b.ts");'],
    ["services/login/a.ts", 'export * from "../online/b.ts";'],
    ["services/login/a.ts", 'import { start } from "../main.ts";'],
    ["clients/ts-sdk/src/a.ts", 'import { limits } from "@chappe/mesh/limits.ts";'],
    ["clients/ts-sdk/src/a.ts", 'import "node:fs";'],
    ["clients/web-chat/a.ts", 'import { limits } from "@chappe/mesh/limits.ts";'],
  ])("catch %s with %s", (path, text) => {
    expect(problemsOf(path, text)).toHaveLength(1);
  });

  it.each([
    ["services/main.ts", 'import { a } from "./login/a.ts";'],
    ["services/all/a.ts", 'import { a } from "../login/a.ts";'],
    ["services/login/a.ts", 'import { limits } from "@chappe/mesh/limits.ts";'],
    ["services/login/a.ts", '// import { x } from "../online/b.ts";'],
    ["clients/ts-sdk/src/a.test.ts", 'import "node:fs";'],
    ["bench/main.ts", 'import { a } from "@chappe/services/main.ts";'],
  ])("allow %s with %s", (path, text) => {
    expect(problemsOf(path, text)).toEqual([]);
  });
});

describe("dependencies", () => {
  it("are declared by every package that imports them", () => {
    expect(files.flatMap((file) => undeclaredImports(file, declared))).toEqual([]);
  });

  it("catch one that is not", () => {
    const text = 'import WebSocket from "ws";\nimport { z } from "zod/mini";';
    expect(undeclaredImports({ path: "mesh/a.ts", text }, declared)).toEqual([
      "mesh/a.ts: ws is not in mesh/package.json",
    ]);
  });
});

describe("importsOf", () => {
  it("reads names, defaults and renames", () => {
    const text =
      'import a, { type B, c as d } from "./x.ts";\nexport { e as f } from "./y.ts";\nimport * as g from "./z.ts";';
    expect(importsOf(text)).toEqual([
      { specifier: "./x.ts", names: ["B", "c", "default"] },
      { specifier: "./y.ts", names: ["e"] },
      { specifier: "./z.ts", names: ["*"] },
    ]);
  });
});
