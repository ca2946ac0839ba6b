import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { examples, root, runTool } from "./run-tool.ts";
import { goTool, pythonWithGrpc, toolPath } from "./tools.ts";

const contracts = [
  "chappe/mesh/v1/options.proto",
  "chappe/mesh/v1/registry_service.proto",
  "chappe/mesh/v1/error.proto",
  "chappe/mesh/v1/packet.proto",
  "chappe/edge/v1/edge_stream.proto",
  "chappe/edge/v1/session.proto",
  "chappe/msg/v1/message.proto",
  "chappe/msg/v1/message_service.proto",
  "chappe/business/v1/auth_service.proto",
];

/** Puts the contracts that the examples use under folder/proto, with a buf.yaml beside it. */
export function copyContracts(folder: string): void {
  for (const path of contracts) cpSync(join(root, "proto", path), join(folder, "proto", path));
  cpSync(join(root, "third_party/proto/buf"), join(folder, "proto/buf"), { recursive: true });
  cpSync(join(examples, "proto"), join(folder, "proto"), { recursive: true });
  writeFileSync(join(folder, "buf.yaml"), "version: v2\nmodules:\n  - path: proto\n");
}

async function withContracts(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "chappe-examples-"));
  try {
    copyContracts(folder);
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Generates go/gen under `target` with buf. */
export async function generateGo(target: string = examples): Promise<void> {
  await Promise.all([goTool("protoc-gen-go"), goTool("protoc-gen-go-grpc")]);
  await withContracts(async (cwd) => {
    mkdirSync(target, { recursive: true });
    const buf = join(root, "node_modules/@bufbuild/buf/bin/buf");
    const args = [buf, "generate", "--template", join(examples, "go/buf.gen.yaml"), "--output", target];
    await runTool(process.execPath, args, { cwd, env: { PATH: toolPath() } });
  });
}

/** Generates python/gen under `target` with the protoc that pip's grpcio-tools bring: their plugin is inside it. */
export async function generatePython(target: string = examples): Promise<void> {
  const python = await pythonWithGrpc();
  await withContracts(async (folder) => {
    const out = join(target, "python/gen");
    mkdirSync(out, { recursive: true });
    const files = [...contracts, "buf/validate/validate.proto", "example/dice/v1/dice_service.proto"];
    const args = [
      "-m",
      "grpc_tools.protoc",
      "-I",
      "proto",
      `--python_out=${out}`,
      `--grpc_python_out=${out}`,
      ...files,
    ];
    await runTool(python, args, { cwd: folder });
  });
}
