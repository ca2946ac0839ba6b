/** Makes the pictures of the ops page in docs/images anew, by its browser test: node scripts/screenshots.ts */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, runProgram } from "./run-program.ts";

const names = ["ops-light.png", "ops-dark-narrow.png"];
const timeoutMs = 300_000;
const maxBytes = 150_000;

const folder = mkdtempSync(join(tmpdir(), "chappe-screenshots-"));
try {
  process.env.CHAPPE_SCREENSHOTS = folder;
  const args = ["run", "--project", "browser", "test/browser/ops-page.test.ts"];
  const { code, output } = await runProgram("vitest", args, { timeoutMs });
  if (code !== 0) throw new Error(output);
  const images = join(root, "docs/images");
  mkdirSync(images, { recursive: true });
  for (const name of names) {
    const { size } = statSync(join(folder, name));
    if (size > maxBytes) throw new Error(`${name} has ${size} bytes; ${maxBytes} are enough for a page of docs`);
    copyFileSync(join(folder, name), join(images, name));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
