import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runTool } from "../../polyglot/support/run-tool.ts";
import { goBuild } from "../../polyglot/support/tools.ts";

/** The Go module that pins what these tests build. */
const goModule = fileURLToPath(new URL("./interop-client", import.meta.url));
/** How long h2spec waits for a frame, in seconds: it waits so long in each case that it fails. */
const frameTimeout = 2;

/** What h2spec found; names are "section: name", sorted. */
export interface H2specReport {
  readonly cases: readonly string[];
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
}

/** Path of h2spec, built. */
export const buildH2spec = (): Promise<string> =>
  goBuild(goModule, "github.com/summerwind/h2spec/cmd/h2spec", join("bin", "h2spec"));

/** Path of the client on grpc-go, built. */
export const buildInteropClient = (): Promise<string> => goBuild(goModule, ".", join("bin", "interop-client"));

function readReport(xml: string): H2specReport {
  const tests = [...xml.matchAll(/<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g)];
  const names = (has: string): string[] =>
    tests
      .flatMap(([, section, name, result]) =>
        result!.includes(has) ? [`${section}: ${name!.replaceAll("&#34;", '"')}`] : [],
      )
      .sort();
  return { cases: names(""), failed: names("<error>").concat(names("<failure>")).sort(), skipped: names("<skipped>") };
}

/**
 * Runs h2spec, strict cases too, against a port of this machine.
 * @param section e.g. "http2/8.1.2.6" @default all of it
 */
export async function runH2spec(program: string, port: number, section?: string): Promise<H2specReport> {
  const folder = mkdtempSync(join(tmpdir(), "chappe-h2spec-"));
  const report = join(folder, "report.xml");
  const args = ["-h", "127.0.0.1", "-p", String(port), "-o", String(frameTimeout), "--strict", "-j", report];
  if (section !== undefined) args.push(section);
  try {
    // Its exit code says that some case failed; which, and whether it ran at all, is in the report.
    await runTool(program, args).catch(() => undefined);
    return readReport(readFileSync(report, "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const sectionOf = (name: string): string => name.slice(0, name.indexOf(":"));

/**
 * Those of these failures that happen each of so many times. The port refuses a GET as soon as its headers are there:
 * when the second frame of a case is late, on a busy machine, it comes to a stream that has ended.
 */
export async function failingAlways(
  program: string,
  port: number,
  failures: readonly string[],
  times: number,
): Promise<string[]> {
  const always: string[] = [];
  for (const name of failures) {
    let left = times;
    while (left > 0 && (await runH2spec(program, port, sectionOf(name))).failed.includes(name)) left--;
    if (left === 0) always.push(name);
  }
  return always;
}

/** Those of these cases that pass each of so many times: on a busy machine one may pass because a frame came late. */
export async function passingAlways(
  program: string,
  port: number,
  cases: readonly string[],
  times: number,
): Promise<string[]> {
  const always: string[] = [];
  for (const name of cases) {
    let left = times;
    while (left > 0 && !(await runH2spec(program, port, sectionOf(name))).failed.includes(name)) left--;
    if (left === 0) always.push(name);
  }
  return always;
}
