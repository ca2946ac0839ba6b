import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root folder. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** A file of the repository. */
export interface SourceFile {
  /** Relative to the root, with "/". */
  readonly path: string;
  readonly text: string;
}

const skippedFolders = new Set(["node_modules", "dist", "coverage", "third_party", ".git", ".chappe"]);

/** All files under the root with one of these endings, dependencies and build output left out. */
export function readFiles(endings: readonly string[]): SourceFile[] {
  const files: SourceFile[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!skippedFolders.has(entry.name)) visit(path);
      } else if (endings.some((ending) => entry.name.endsWith(ending))) {
        files.push({ path, text: readFileSync(join(root, path), "utf8") });
      }
    }
  };
  visit("");
  return files;
}

/** True for code that a program wrote. */
export const isGenerated = (path: string): boolean => path.startsWith("gen/");

/** True for a file of tests. */
export const isTest = (path: string): boolean => path.endsWith(".test.ts");

const tokens = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;

/** Replaces comments and the text of strings by spaces; only strings that name a module stay. */
export function blankProse(text: string): string {
  return text.replace(tokens, (match, offset: number) => {
    const isSpecifier =
      /^["']/.test(match) && /\b(?:from|import|import\s*\()\s*$/.test(text.slice(0, offset).slice(-20));
    return isSpecifier ? match : match.replace(/[^\n]/g, " ");
  });
}
