import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { root, type SourceFile } from "./source-files.ts";

/** Most lines of one file, tests included. */
export const maxFileLines = 400;
/** Half of the source files are shorter than this. */
export const maxMedianFileLines = 120;
/** Most lines of one function. */
export const maxFunctionLines = 70;

/** A function over the length that is reported. */
export interface LongFunction {
  /** "path name"; the name is "line N" for a function without one. */
  readonly key: string;
  readonly lines: number;
}

interface Diagnostic {
  readonly message: string;
  readonly filename: string;
  readonly labels: readonly {
    readonly span: { readonly offset: number; readonly length: number; readonly line: number };
  }[];
}

/** Lines of a text; the newline at its end does not start another. */
export const lineCount = (text: string): number => text.replace(/\n$/, "").split("\n").length;

/** Middle value; 0 for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Files longer than `maxFileLines`. */
export const longFiles = (files: readonly SourceFile[]): string[] =>
  files
    .filter(({ text }) => lineCount(text) > maxFileLines)
    .map(({ path, text }) => `${path}: ${lineCount(text)} lines`);

/** True for a function that only groups tests: what it holds is counted, it is not. */
const groupsTests = (body: string): boolean => /\b(?:it|test|describe)(?:\.\w+)*\s*\(/.test(body);

/** Runs oxlint's count over a folder; answers with every function over the reported length. */
export function longFunctions(folder: string, textOf: (path: string) => string): LongFunction[] {
  const config = join(root, "test/tidy/function-size.oxlintrc.json");
  let output: string;
  try {
    output = execFileSync(join(root, "node_modules/.bin/oxlint"), ["-c", config, "-f", "json", "."], {
      cwd: folder,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
  } catch (error) {
    // oxlint exits with 1 when it found something.
    output = String((error as { stdout?: unknown }).stdout ?? "");
  }
  const { diagnostics } = JSON.parse(output) as { diagnostics: Diagnostic[] };
  return diagnostics.flatMap(({ message, filename, labels }) => {
    const span = labels[0]?.span;
    const lines = Number(/\((\d+)\)/.exec(message)?.[1]);
    if (span === undefined || !Number.isSafeInteger(lines))
      throw new Error(`oxlint says what we cannot read: ${message}`);
    const body = Buffer.from(textOf(filename))
      .subarray(span.offset, span.offset + span.length)
      .toString();
    if (groupsTests(body)) return [];
    const name = /`([^`]+)`/.exec(message)?.[1] ?? `line ${span.line}`;
    return [{ key: `${filename} ${name}`, lines }];
  });
}

/** Compares long functions with the known ones, which may only become fewer and shorter. */
export function ratchetProblems(found: readonly LongFunction[], known: Readonly<Record<string, number>>): string[] {
  const problems = found
    .filter(({ key, lines }) => lines > (known[key] ?? 0))
    .map(
      ({ key, lines }) =>
        `${key}: ${lines} lines, ${known[key] === undefined ? "not known" : `known with ${known[key]}`}`,
    );
  const keys = new Set(found.map(({ key }) => key));
  const gone = Object.keys(known).filter((key) => !keys.has(key));
  return [...problems, ...gone.map((key) => `${key}: is short now, take it off the list`)];
}
