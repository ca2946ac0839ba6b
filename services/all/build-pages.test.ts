import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { buildPages } from "./build-pages.ts";

// The name of the folder must not be taken for that of built files.
const root = mkdtempSync(join(tmpdir(), "chappe-pages-"));
const base = join(root, "dist");

afterEach(() => rmSync(base, { recursive: true, force: true }));

function makePage(): { source: string; library: string } {
  const [source, library] = [join(base, "page"), join(base, "library")];
  mkdirSync(join(source, "src"), { recursive: true });
  mkdirSync(library);
  for (const name of ["index.html", "style.css", "icon.svg"]) writeFileSync(join(source, name), name);
  writeFileSync(join(library, "word.ts"), `export const word: string = "telegraph";`);
  writeFileSync(join(source, "src/main.ts"), `import { word } from "../../library/word.ts"; console.log(word);`);
  writeFileSync(join(source, "src/service-worker.ts"), "self.name;");
  const pastSeconds = Date.now() / 1_000 - 60;
  for (const path of [join(source, "src/main.ts"), join(library, "word.ts")])
    utimesSync(path, pastSeconds, pastSeconds);
  return { source, library };
}

test("bundles the page, once, and again when a source has changed", async () => {
  const { source, library } = makePage();
  const options = { source, dependsOn: [library] };
  const out = await buildPages(options);
  const script = join(out, "main.js");
  expect(readFileSync(script, "utf8")).toContain("telegraph");
  const files = ["icon.svg", "index.html", "main.js", "main.js.map", "service-worker.js", "service-worker.js.map"];
  expect(readdirSync(out).sort()).toEqual([...files, "style.css"]);
  const { ino } = statSync(script);
  await buildPages(options);
  expect(statSync(script).ino).toBe(ino);
  writeFileSync(join(library, "word.ts"), `export const word: string = "semaphore";`);
  const soonSeconds = Date.now() / 1_000 + 60;
  utimesSync(join(library, "word.ts"), soonSeconds, soonSeconds);
  await buildPages(options);
  expect(readFileSync(script, "utf8")).toContain("semaphore");
});

test("leaves the old page when the new one cannot be built", async () => {
  const { source, library } = makePage();
  const out = await buildPages({ source, dependsOn: [library] });
  writeFileSync(join(source, "src/main.ts"), "const = broken;");
  const soonSeconds = Date.now() / 1_000 + 60;
  utimesSync(join(source, "src/main.ts"), soonSeconds, soonSeconds);
  await expect(buildPages({ source, dependsOn: [library] })).rejects.toThrow("Expected identifier");
  expect(readFileSync(join(out, "main.js"), "utf8")).toContain("telegraph");
  expect(readdirSync(out).filter((name) => name.startsWith("building"))).toEqual([]);
});
