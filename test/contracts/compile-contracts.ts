import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createFileRegistry, type DescFile, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const root = fileURLToPath(new URL("../../", import.meta.url));
const buf = join(root, "node_modules/@bufbuild/buf/bin/buf");
const timeoutMs = 60_000;

/** Compiles the contracts in proto/ with buf, and the fixtures with them; fixtures are path -> text. Answers with all of proto/ and the fixtures. */
export function compileContracts(fixtures: Readonly<Record<string, string>> = {}): DescFile[] {
  const folder = mkdtempSync(join(tmpdir(), "chappe-contracts-"));
  try {
    cpSync(join(root, "proto"), join(folder, "proto"), { recursive: true });
    cpSync(join(root, "third_party/proto"), join(folder, "third_party/proto"), { recursive: true });
    cpSync(join(root, "buf.yaml"), join(folder, "buf.yaml"));
    for (const [path, text] of Object.entries(fixtures)) {
      mkdirSync(join(folder, "proto", path, ".."), { recursive: true });
      writeFileSync(join(folder, "proto", path), text);
    }
    const image = join(folder, "image.binpb");
    execFileSync(process.execPath, [buf, "build", "--as-file-descriptor-set", "-o", image], {
      cwd: folder,
      timeout: timeoutMs,
    });
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(image)));
    return [...registry.files].filter(({ name }) => name.startsWith("chappe/") || `${name}.proto` in fixtures);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
