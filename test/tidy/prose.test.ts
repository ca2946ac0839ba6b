import { describe, expect, it } from "vitest";
import { isGenerated, readFiles, type SourceFile } from "./source-files.ts";

// Written in two halves, so that this file does not break its own rules.
const leftover = new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`);
const machinePath = new RegExp(
  `(?<![\\w.}])/(?:${["wo" + "rk", "ho" + "me", "Us" + "ers", "ro" + "ot"].join("|")})/[\\w.]|\\b[A-Z]:\\\\\\\\`,
);
const temporaryPath = new RegExp(`["'\`]/${"tm"}p/`);

const endings = [".ts", ".js", ".md", ".json", ".yaml", ".yml", ".proto", ".html", ".css", ".sh", "run"];
const files = readFiles(endings).filter(({ path }) => !isGenerated(path) && path !== "package-lock.json");

/** Lines of the files that match, as "path:line: text". */
function linesWith(pattern: RegExp, sources: readonly SourceFile[]): string[] {
  return sources.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

const isCode = ({ path }: SourceFile): boolean => path.endsWith(".ts") || path.endsWith(".js");
const badNames = (paths: readonly string[]): string[] =>
  paths.filter((path) => !path.split("/").every((part) => /^[a-z0-9.]+(?:[-.][a-z0-9]+)*$/.test(part)));

describe("the files", () => {
  it("hold no leftovers", () => {
    expect(linesWith(leftover, files)).toEqual([]);
  });

  it("hold no paths of one machine", () => {
    expect(linesWith(machinePath, files)).toEqual([]);
    expect(linesWith(temporaryPath, files.filter(isCode))).toEqual([]);
  });

  it("have names in kebab-case", () => {
    expect(badNames(files.filter(isCode).map(({ path }) => path))).toEqual([]);
  });
});

describe("the rules", () => {
  const caught = (pattern: RegExp, text: string): number => linesWith(pattern, [{ path: "a.ts", text }]).length;

  it("catch leftovers", () => {
    expect(caught(leftover, `x\n// ${"TO" + "DO"}: later\n// ${"FIX" + "ME"}`)).toBe(2);
    expect(caught(leftover, "const todos = METHODO;")).toBe(0);
  });

  it("catch paths of one machine", () => {
    expect(caught(machinePath, `const a = "/${"ho" + "me"}/ada/x";\nsee /${"wo" + "rk"}/main`)).toBe(2);
    expect(caught(machinePath, 'import "../home/a.ts"; // https://example.org/work/x is no file')).toBe(0);
    expect(caught(temporaryPath, `open("/${"tm"}p/x")`)).toBe(1);
  });

  it("catch names", () => {
    expect(badNames(["mesh/a/aName.ts", "mesh/B/c.ts", "mesh/a/b-c.test.ts"])).toEqual([
      "mesh/a/aName.ts",
      "mesh/B/c.ts",
    ]);
  });
});
