import { isBuiltin } from "node:module";
import { importsOf, targetOf } from "./imports.ts";
import { isTest, type SourceFile } from "./source-files.ts";

/** Layer -> layers it may import from, itself aside. "service:x" stands for services/x. */
const allowedLayers: Readonly<Record<string, readonly string[]>> = {
  gen: [],
  mesh: ["gen"],
  sdk: ["gen"],
  service: ["gen", "mesh"],
  composition: ["gen", "mesh", "service"],
  client: ["gen", "sdk"],
  root: ["gen", "mesh"],
};
const freeLayers = new Set(["test", "bench"]);

/** Layer of a path: its kind, and for a service its name too. */
function layerOf(path: string): { kind: string; name: string } {
  const [first = "", second = ""] = path.split("/");
  if (first === "services") {
    if (second === "main.ts" || second === "all") return { kind: "composition", name: "composition" };
    return { kind: "service", name: `service:${second}` };
  }
  if (first === "clients") return second === "ts-sdk" ? { kind: "sdk", name: "sdk" } : { kind: "client", name: second };
  if (first === "gen" || first === "mesh" || first === "test" || first === "bench") return { kind: first, name: first };
  return { kind: "root", name: "root" };
}

/** Folder of the workspace that a path belongs to; "" for the root package. */
export function workspaceOf(path: string): string {
  const [first = "", second = ""] = path.split("/");
  if (first === "clients" && ["ts-sdk", "web-chat", "terminal-chat"].includes(second)) return `clients/${second}`;
  return ["gen", "mesh", "services", "test", "bench"].includes(first) ? first : "";
}

function layerProblem(file: SourceFile, specifier: string, target: string): string | undefined {
  const from = layerOf(file.path);
  const to = layerOf(target);
  const relative = specifier.startsWith(".");
  const sameWorkspace = workspaceOf(file.path) === workspaceOf(target);
  if (relative && !sameWorkspace) return "leaves its package by a relative path";
  if (!relative && sameWorkspace) return "names its own package instead of a relative path";
  if (relative && !/\.(?:ts|js|json)$/.test(target)) return "does not name the file's ending";
  if (freeLayers.has(from.kind) || from.name === to.name) return undefined;
  const allowed = allowedLayers[from.kind] ?? [];
  if (allowed.includes(to.kind)) return undefined;
  return to.kind === "service" && from.kind === "service"
    ? "imports another service"
    : `layer ${from.kind} may not import layer ${to.kind}`;
}

/** Files of the SDK that only its Node entry (src/node.ts) reaches. */
const nodeOnlySdkFiles: ReadonlySet<string> = new Set(["clients/ts-sdk/src/stores/line-log.ts"]);

/** Problems of a file's imports with the layers, each "path: specifier: what is wrong". */
export function layerProblems(file: SourceFile): string[] {
  const problems: string[] = [];
  for (const { specifier } of importsOf(file.text)) {
    const target = targetOf(file, specifier);
    const problem = target === undefined ? undefined : layerProblem(file, specifier, target);
    if (problem !== undefined) problems.push(`${file.path}: ${specifier}: ${problem}`);
    const browser = layerOf(file.path).kind === "sdk" && !isTest(file.path) && !nodeOnlySdkFiles.has(file.path);
    if (browser && isBuiltin(specifier)) problems.push(`${file.path}: ${specifier}: the SDK runs in browsers`);
  }
  return problems;
}

/** Names of the packages that a workspace declares, by its folder. */
export type DeclaredPackages = (workspace: string) => ReadonlySet<string>;

/** Imports of npm packages that the file's workspace does not declare. Tests may also use what the root and test/ declare. */
export function undeclaredImports(file: SourceFile, declared: DeclaredPackages): string[] {
  const workspace = workspaceOf(file.path);
  const homes = isTest(file.path) || workspace === "test" ? [workspace, "", "test"] : [workspace];
  return (
    importsOf(file.text)
      .map(({ specifier }) => specifier)
      .filter((specifier) => !specifier.startsWith(".") && !isBuiltin(specifier))
      .map((specifier) =>
        specifier
          .split("/")
          .slice(0, specifier.startsWith("@") ? 2 : 1)
          .join("/"),
      )
      .filter((name) => !homes.some((home) => declared(home).has(name)))
      // The root package has its workspaces by the workspaces list itself.
      .filter((name) => !(workspace === "" && name.startsWith("@chappe/")))
      .map((name) => `${file.path}: ${name} is not in ${workspace === "" ? "" : `${workspace}/`}package.json`)
  );
}
