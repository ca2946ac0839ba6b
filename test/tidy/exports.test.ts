import { describe, expect, it } from "vitest";
import { deadExports, undocumentedExports } from "./exports.ts";
import { isGenerated, isTest, readFiles } from "./source-files.ts";

const files = readFiles([".ts"]);
const folders = ["mesh/", "services/", "clients/"];

/** Files whose exports others use: the SDK's public interface and the programs. */
const publicEntries = new Set([
  "clients/ts-sdk/src/index.ts",
  "clients/terminal-chat/main.ts",
  "clients/web-chat/main.ts",
  "services/main.ts",
  // Engines that only tests choose today.
  "mesh/engines/memory-stores/create-memory-business-store.ts",
  "mesh/engines/memory-stores/create-memory-message-store.ts",
  // The other half of a pair whose first half the server uses.
  "mesh/codec/delivery-ack.ts",
  "mesh/rpc/connect-errors.ts",
  "mesh/rpc/contracts.ts",
  "services/login/web-socket/frame-writer.ts",
]);

describe("exports", () => {
  it("are imported by other code than tests", () => {
    expect(deadExports(files, folders, publicEntries)).toEqual([]);
  });

  it("are documented", () => {
    const own = files.filter(({ path }) => !isGenerated(path) && !isTest(path));
    expect(own.flatMap(undocumentedExports)).toEqual([]);
  });
});

describe("deadExports", () => {
  const dead = (...sources: [string, string][]): string[] =>
    deadExports(
      sources.map(([path, text]) => ({ path, text })),
      folders,
      publicEntries,
    );

  it("catches an export that nobody imports", () => {
    expect(dead(["mesh/a.ts", "export const a = 1;\nexport function b() {}"])).toEqual([
      "mesh/a.ts: a",
      "mesh/a.ts: b",
    ]);
  });

  it("catches one that only a test imports", () => {
    const user = 'import { a } from "./a.ts";';
    expect(dead(["mesh/a.ts", "export const a = 1;"], ["mesh/a.test.ts", user])).toEqual(["mesh/a.ts: a"]);
    expect(dead(["mesh/a.ts", "export const a = 1;"], ["mesh/b.ts", user])).toEqual([]);
  });

  it("counts tests as users of test support", () => {
    const user = 'import { a } from "@chappe/mesh/test-support/a.ts";';
    expect(dead(["mesh/test-support/a.ts", "export const a = 1;"], ["services/x/b.test.ts", user])).toEqual([]);
  });

  it("catches a type that is nobody's shape", () => {
    const text = "export interface A {}\nexport interface B {}\nexport type C = B;";
    expect(dead(["services/x/a.ts", text])).toEqual(["services/x/a.ts: A", "services/x/a.ts: C"]);
  });
});

describe("undocumentedExports", () => {
  it("catches a missing doc comment", () => {
    const text =
      "/** A. */\nexport const a = 1;\n\nexport async function b(): Promise<void> {}\n// C.\nexport interface C {}";
    expect(undocumentedExports({ path: "mesh/a.ts", text })).toEqual([
      "mesh/a.ts:4: b has no doc comment",
      "mesh/a.ts:6: C has no doc comment",
    ]);
  });

  it("asks for one per set of overloads", () => {
    const text = "/** A. */\nexport function a(x: 1): 1;\nexport function a(x: 2): 2;";
    expect(undocumentedExports({ path: "mesh/a.ts", text })).toEqual([]);
  });
});
