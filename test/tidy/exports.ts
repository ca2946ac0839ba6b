import { importsOf, targetOf } from "./imports.ts";
import { blankProse, isTest, type SourceFile } from "./source-files.ts";

/** One exported declaration. */
export interface ExportedName {
  readonly name: string;
  readonly kind: string;
  /** Index of the line, from 0. */
  readonly line: number;
}

const declaration =
  /^export (?:declare )?(?:default )?(?:abstract )?(?:async )?(function\*?|const|let|class|interface|type|enum)\s+([\w$]+)/;

/** Exported declarations that start a line; re-exports are not declarations. */
export function exportsOf(text: string): ExportedName[] {
  return text.split("\n").flatMap((content, line) => {
    const match = declaration.exec(content);
    if (match === null || (match[1] === "type" && match[2] === "from")) return [];
    return [{ name: match[2] ?? "", kind: match[1] ?? "", line }];
  });
}

/** Exported declarations without a doc comment just above them; of overloads the first one must have it. */
export function undocumentedExports(file: SourceFile): string[] {
  const lines = file.text.split("\n");
  const documented = new Set<string>();
  return exportsOf(file.text)
    .filter(({ name, line }) => {
      if ((lines[line - 1] ?? "").trimEnd().endsWith("*/")) documented.add(name);
      return !documented.has(name);
    })
    .map(({ name, line }) => `${file.path}:${line + 1}: ${name} has no doc comment`);
}

/** True for files that exist for tests: what only tests use may live there. */
const isForTests = (path: string): boolean =>
  isTest(path) || path.startsWith("test/") || path.includes("/test-support/");

/** Names used from each path, by files whose use counts for an export of that path. */
function collectUses(files: readonly SourceFile[]): (path: string, name: string) => boolean {
  const uses = new Set<string>();
  for (const file of files) {
    const prefix = isForTests(file.path) ? "test" : "code";
    for (const { specifier, names } of importsOf(file.text)) {
      const target = targetOf(file, specifier);
      if (target !== undefined) for (const name of names) uses.add(`${prefix} ${target} ${name}`);
    }
  }
  return (path, name) => {
    const kinds = isForTests(path) ? ["code", "test"] : ["code"];
    return kinds.some((kind) => uses.has(`${kind} ${path} ${name}`) || uses.has(`${kind} ${path} *`));
  };
}

/** True for a type that its own file uses in another place: it is the shape of something exported. */
function isShape(text: string, { name, kind }: ExportedName): boolean {
  if (kind !== "interface" && kind !== "type" && kind !== "class") return false;
  return (blankProse(text).match(new RegExp(`\\b${name}\\b`, "g")) ?? []).length > 1;
}

/**
 * Exports that no other file imports. Uses by tests count only for files under test-support; files in `entries` are
 * public. `folders` names where to look.
 */
export function deadExports(
  files: readonly SourceFile[],
  folders: readonly string[],
  entries: ReadonlySet<string>,
): string[] {
  const isUsed = collectUses(files);
  return files
    .filter(({ path }) => folders.some((folder) => path.startsWith(folder)) && !isTest(path) && !entries.has(path))
    .flatMap(({ path, text }) =>
      exportsOf(text)
        .filter((exported) => !isUsed(path, exported.name) && !isShape(text, exported))
        .map(({ name }) => `${path}: ${name}`),
    );
}
