import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  lineCount,
  longFiles,
  longFunctions,
  maxFileLines,
  maxFunctionLines,
  maxMedianFileLines,
  median,
  ratchetProblems,
} from "./sizes.ts";
import { isGenerated, isTest, readFiles, root } from "./source-files.ts";

const files = readFiles([".ts", ".js"]).filter(({ path }) => !isGenerated(path));
const known = JSON.parse(readFileSync(join(root, "test/tidy/known-long-functions.json"), "utf8"));
const readText = (folder: string) => (path: string) => readFileSync(join(folder, path), "utf8");

describe("sizes", () => {
  it("of files stay under the limit", () => {
    expect(longFiles(files)).toEqual([]);
  });

  it("of source files have a small median", () => {
    const lines = files.filter(({ path }) => !isTest(path)).map(({ text }) => lineCount(text));
    expect(median(lines)).toBeLessThan(maxMedianFileLines);
  });

  const functions = longFunctions(root, readText(root));

  it("of functions stay under the hard limit", () => {
    expect(functions.filter(({ lines }) => lines > maxFunctionLines)).toEqual([]);
  });

  it("of long functions only shrink (known-long-functions.json)", () => {
    expect(ratchetProblems(functions, known)).toEqual([]);
  });
});

describe("the count", () => {
  it("catches a long file", () => {
    expect(longFiles([{ path: "a.ts", text: "x\n".repeat(maxFileLines) }])).toEqual([]);
    expect(longFiles([{ path: "a.ts", text: "x\n".repeat(maxFileLines + 1) }])).toHaveLength(1);
  });

  it("catches a long function and a long method, and leaves groups of tests alone", () => {
    const folder = mkdtempSync(join(tmpdir(), "chappe-sizes-"));
    const body = "  console.log(1);\n".repeat(80);
    try {
      writeFileSync(join(folder, "a.ts"), `function é() {\n${body}}\nclass B {\n  run() {\n${body}  }\n}\n`);
      writeFileSync(join(folder, "b.test.ts"), `describe("x", () => {\n  it("y", () => {});\n${body}});\n`);
      const keys = longFunctions(folder, readText(folder)).map(({ key, lines }) => `${key} ${lines}`);
      expect(keys.sort()).toEqual(["a.ts run 82", "a.ts é 82"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("keeps the ratchet: a new one, a longer one and a forgotten one are problems", () => {
    const found = [
      { key: "a f", lines: 60 },
      { key: "b g", lines: 60 },
      { key: "c h", lines: 55 },
    ];
    expect(ratchetProblems(found, { "b g": 58, "c h": 60, "d i": 52 })).toEqual([
      "a f: 60 lines, not known",
      "b g: 60 lines, known with 58",
      "d i: is short now, take it off the list",
    ]);
  });

  it("finds the median", () => {
    expect(median([5, 1, 3])).toBe(3);
  });
});
