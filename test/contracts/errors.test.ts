import { readFileSync } from "node:fs";
import { closeCodes, errorRegistry } from "@chappe/gen/errors.ts";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";

interface Registry {
  errors: { number: number; name: string; code: string; retryable: boolean; text: string }[];
  closeCodes: { code: number; name: string; reconnect: string; text: string }[];
}

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const registry = JSON.parse(read("proto/errors.json")) as Registry;

/** Cells of the rows of the n-th table of a Markdown text, headers left out. */
function tableRows(markdown: string, table: number): string[][] {
  const tables = markdown.split(/\n\n+/).filter((block) => block.startsWith("|"));
  const lines = (tables[table] ?? "").trim().split("\n").slice(2);
  return lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** "failed_precondition" of Code.FailedPrecondition. */
const codeName = (code: number): string => (Code[code] ?? "").replace(/(?<!^)([A-Z])/g, "_$1").toLowerCase();

describe("docs/errors.md", () => {
  const markdown = read("docs/errors.md");

  it("has the errors of proto/errors.json, no more and no fewer", () => {
    const rows = registry.errors.map(({ number, name, code, retryable, text }) => [
      String(number),
      name,
      code,
      retryable ? "yes" : "no",
      text,
    ]);
    expect(tableRows(markdown, 0)).toEqual(rows);
  });

  it("has the close codes of proto/errors.json, no more and no fewer", () => {
    const rows = registry.closeCodes.map(({ code, name, reconnect, text }) => [String(code), name, reconnect, text]);
    expect(tableRows(markdown, 1)).toEqual(rows);
  });

  it("is read by rows", () => {
    expect(tableRows("# T\n\n| a | b |\n| --- | --- |\n| 1 | x |\n| 2 | y |\n", 0)).toEqual([
      ["1", "x"],
      ["2", "y"],
    ]);
  });
});

describe("gen/errors.ts", () => {
  it("is the registry", () => {
    const generated = Object.values(errorRegistry).map((row) => ({ ...row, code: codeName(row.code) }));
    expect(generated).toEqual(registry.errors);
    expect(Object.values(closeCodes)).toEqual(registry.closeCodes);
  });

  it("names each row as its key, once, with one number", () => {
    expect(Object.entries(errorRegistry).filter(([key, { name }]) => key !== name)).toEqual([]);
    expect(Object.entries(closeCodes).filter(([key, { name }]) => key !== name)).toEqual([]);
    expect(new Set(registry.errors.map(({ number }) => number)).size).toBe(registry.errors.length);
    expect(new Set(registry.closeCodes.map(({ code }) => code)).size).toBe(registry.closeCodes.length);
  });
});
