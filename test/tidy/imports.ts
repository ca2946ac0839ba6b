import { dirname, join } from "node:path/posix";
import { blankProse, type SourceFile } from "./source-files.ts";

/** One module that a file names, and the names it takes from it. */
export interface ImportEdge {
  readonly specifier: string;
  /** Names as the other file exports them; "*" for all of them. */
  readonly names: readonly string[];
}

const fromForm = /\b(?:import|export)\s+(?:type\s+)?([\w$*{}\s,]+?)\s*from\s*["']([^"']+)["']/g;
const bareForm = /\bimport\s*["']([^"']+)["']/g;
const callForm = /\bimport\s*\(\s*["']([^"']+)["']/g;

function namesOf(clause: string): string[] {
  if (clause.includes("*")) return ["*"];
  const braces = /\{([^}]*)\}/.exec(clause);
  const names = (braces?.[1] ?? "")
    .split(",")
    .map(
      (part) =>
        part
          .trim()
          .replace(/^type\s+/, "")
          .split(/\s+as\s+/)[0] ?? "",
    )
    .filter((name) => name !== "");
  if (/^[\w$]+\s*(?:,|$)/.test(clause.trim())) names.push("default");
  return names;
}

/** Every module that a file imports or exports from, static and dynamic. */
export function importsOf(text: string): ImportEdge[] {
  const code = blankProse(text);
  return [
    ...[...code.matchAll(fromForm)].map((match) => ({ specifier: match[2] ?? "", names: namesOf(match[1] ?? "") })),
    ...[...code.matchAll(bareForm)].map((match) => ({ specifier: match[1] ?? "", names: [] })),
    ...[...code.matchAll(callForm)].map((match) => ({ specifier: match[1] ?? "", names: ["*"] })),
  ];
}

const packageFolders: Readonly<Record<string, string>> = {
  gen: "gen",
  mesh: "mesh",
  services: "services",
  sdk: "clients/ts-sdk",
  "web-chat": "clients/web-chat",
  test: "test",
  bench: "bench",
};

/** Path in the repository that a specifier names; undefined for npm packages and built-in modules. */
export function targetOf(file: Pick<SourceFile, "path">, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return join(dirname(file.path), specifier);
  const match = /^@chappe\/([^/]+)(?:\/(.*))?$/.exec(specifier);
  if (match === null) return undefined;
  const folder = packageFolders[match[1] ?? ""];
  return folder === undefined ? `unknown/${match[1]}` : `${folder}/${match[2] ?? ""}`;
}
