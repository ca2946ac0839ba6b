/** Writes docs/telemetry.md from mesh/telemetry/registry.json, into the repository or into the folder named as argument. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describeRegistry } from "@chappe/mesh/telemetry/registry.ts";
import { root } from "./run-program.ts";

const path = join(process.argv[2] ?? root, "docs/telemetry.md");
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, describeRegistry());
