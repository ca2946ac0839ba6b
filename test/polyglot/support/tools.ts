import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { copyContracts } from "./generate-examples.ts";
import { cacheFolder, examples, runTool } from "./run-tool.ts";

const goTools: Readonly<Record<string, string>> = {
  "protoc-gen-go": "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12",
  "protoc-gen-go-grpc": "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1",
  grpcurl: "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3",
};

const say = (what: string): void => console.log(`polyglot: ${what}`);

/** What examples/go/go.mod needs; Go from before 1.21 does not even read it. */
const goVersion = "1.26.8";
const goodGo = /go1\.(2[6-9]|[3-9]\d)/;

async function isGoodGo(go: string): Promise<boolean> {
  return runTool(go, ["env", "GOVERSION"], { cwd: "/", env: { GOTOOLCHAIN: "local" } }).then(
    (version) => goodGo.test(version),
    () => false,
  );
}

/** Fetches Go from the module proxy, as newer ones do by themselves; answers the program. */
async function fetchGo(): Promise<string> {
  const { platform, arch } = process;
  const module = `golang.org/toolchain@v0.0.1-go${goVersion}.${platform}-${arch === "x64" ? "amd64" : arch}`;
  say(`fetching ${module}: the machine's Go is missing or too old`);
  const folder = join(cacheFolder, "go-modules");
  const env = { GOMODCACHE: folder, GOFLAGS: "-modcacherw" };
  await runTool("go", ["mod", "download", module], { cwd: "/", env, timeoutMs: 600_000 });
  const root = join(folder, ...module.split("/"));
  await runTool("chmod", ["-R", "+x", join(root, "bin"), join(root, "pkg/tool")]);
  return join(root, "bin/go");
}

let found: Promise<string> | undefined;

/** A Go that is new enough: the machine's, or one from the module proxy. */
function goProgram(): Promise<string> {
  found ??= (async () => {
    for (const go of ["go", "/usr/local/go/bin/go"]) if (await isGoodGo(go)) return go;
    return fetchGo();
  })();
  return found;
}

/** Path of a Go program, built from the module proxy when it is not in the cache. */
export async function goTool(name: "protoc-gen-go" | "protoc-gen-go-grpc" | "grpcurl"): Promise<string> {
  const folder = join(cacheFolder, "bin");
  const path = join(folder, name);
  if (!existsSync(path)) {
    say(`building ${goTools[name]} with go install into ${folder}`);
    await mkdir(folder, { recursive: true });
    await runTool(await goProgram(), ["install", goTools[name]!], {
      cwd: "/",
      env: { GOBIN: folder },
      timeoutMs: 600_000,
    });
  }
  return path;
}

/** Path of a Go package of the module in `folder`, built; Go's own cache makes a second time short. */
export async function goBuild(folder: string, goPackage: string, name: string): Promise<string> {
  const path = join(cacheFolder, name);
  await runTool(await goProgram(), ["build", "-o", path, goPackage], { cwd: folder, timeoutMs: 600_000 });
  return path;
}

/** Path of a program of examples/go, built. */
export const goExample = (name: string): Promise<string> =>
  goBuild(join(examples, "go"), `./${name}`, join("examples-go", name));

/** Python with examples/python/requirements.txt, in a virtual environment of the cache. */
export async function pythonWithGrpc(): Promise<string> {
  const requirements = join(examples, "python/requirements.txt");
  const hash = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 12);
  const folder = join(cacheFolder, `python-${hash}`);
  const python = join(folder, "bin/python");
  if (!existsSync(join(folder, "ready"))) {
    say(`installing grpcio with pip into ${folder}`);
    await rm(folder, { recursive: true, force: true });
    await runTool("python3", ["-m", "venv", folder]);
    await runTool(python, ["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", requirements]);
    await mkdir(join(folder, "ready"));
  }
  return python;
}

/** Folder with the classes and libraries of examples/java, built by Maven; up to date ones are not built again. */
export async function javaExample(): Promise<string> {
  const folder = join(cacheFolder, "examples-java");
  if (!existsSync(join(folder, "target/lib"))) say(`building examples/java with Maven into ${folder}`);
  await mkdir(folder, { recursive: true });
  await rm(join(folder, "proto"), { recursive: true, force: true });
  copyContracts(folder);
  for (const path of ["chappe/edge", "chappe/msg", "chappe/business"])
    await rm(join(folder, "proto", path), { recursive: true });
  const settings = [`-Dproto.folder=${join(folder, "proto")}`, `-Dbuild.folder=${join(folder, "target")}`];
  await runTool("mvn", ["-q", "-B", "compile", ...settings], { cwd: join(examples, "java"), timeoutMs: 600_000 });
  return join(folder, "target");
}

/** PATH with the tools of the cache first. */
export const toolPath = (): string => `${join(cacheFolder, "bin")}${delimiter}${process.env.PATH ?? ""}`;
