/** Writes gen/errors.ts and docs/errors.md from proto/errors.json, into the repository or into the folder named as argument. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

interface ErrorRow {
  number: number;
  name: string;
  code: string;
  retryable: boolean;
  text: string;
}
interface CloseRow {
  code: number;
  name: string;
  reconnect: string;
  text: string;
}

const root = fileURLToPath(new URL("../", import.meta.url));
const target = resolve(process.argv[2] ?? root);
const source = JSON.parse(readFileSync(join(root, "proto/errors.json"), "utf8")) as {
  errors: ErrorRow[];
  closeCodes: CloseRow[];
};
const connectCodes = [
  "canceled",
  "unknown",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
];

function codeNumber(code: string): number {
  const index = connectCodes.indexOf(code);
  if (index < 0) throw new Error(`proto/errors.json: unknown code ${code}`);
  return index + 1;
}

function unique<T>(what: string, values: readonly T[]): void {
  if (new Set(values).size !== values.length) throw new Error(`proto/errors.json: duplicate ${what}`);
}

unique(
  "error number",
  source.errors.map((row) => row.number),
);
unique(
  "error name",
  source.errors.map((row) => row.name),
);
unique(
  "close code",
  source.closeCodes.map((row) => row.code),
);

const errorRows = source.errors.map(
  (row) =>
    `  ${row.name}: { number: ${row.number}, name: "${row.name}", code: ${codeNumber(row.code)}, retryable: ${row.retryable}, text: ${JSON.stringify(row.text)} },`,
);
const closeRows = source.closeCodes.map(
  (row) =>
    `  ${row.name}: { code: ${row.code}, name: "${row.name}", reconnect: "${row.reconnect}", text: ${JSON.stringify(row.text)} },`,
);
for (const folder of ["gen", "docs"]) mkdirSync(join(target, folder), { recursive: true });
writeFileSync(
  join(target, "gen/errors.ts"),
  [
    "// Generated from proto/errors.json by scripts/generate-errors.ts. Do not edit.",
    "",
    "/** One row of the error registry; `code` is the Connect status code. */",
    "export interface ErrorRow {",
    "  readonly number: number;",
    "  readonly name: string;",
    "  readonly code: number;",
    "  readonly retryable: boolean;",
    "  readonly text: string;",
    "}",
    "",
    "/** One way the server ends a long connection. */",
    "export interface CloseRow {",
    "  readonly code: number;",
    "  readonly name: string;",
    '  readonly reconnect: "jittered" | "after-token" | "never";',
    "  readonly text: string;",
    "}",
    "",
    "/** The error registry, by name. */",
    "export const errorRegistry = {",
    ...errorRows,
    "} as const satisfies Record<string, ErrorRow>;",
    "",
    "/** Name of an error. */",
    "export type ErrorName = keyof typeof errorRegistry;",
    "",
    "/** The close codes, by name. */",
    "export const closeCodes = {",
    ...closeRows,
    "} as const satisfies Record<string, CloseRow>;",
    "",
    "/** Name of a close code. */",
    "export type CloseName = keyof typeof closeCodes;",
    "",
  ].join("\n"),
);
writeFileSync(
  join(target, "docs/errors.md"),
  [
    "# Errors and close codes",
    "",
    "Generated from `proto/errors.json` by `npm run generate`; every error carries a `chappe.mesh.v1.ErrorDetail`.",
    "",
    "| number | name | Connect code | retry the same bytes | meaning |",
    "| --- | --- | --- | --- | --- |",
    ...source.errors.map(
      (row) => `| ${row.number} | ${row.name} | ${row.code} | ${row.retryable ? "yes" : "no"} | ${row.text} |`,
    ),
    "",
    "| close code | name | reconnect | meaning |",
    "| --- | --- | --- | --- |",
    ...source.closeCodes.map((row) => `| ${row.code} | ${row.name} | ${row.reconnect} | ${row.text} |`),
    "",
  ].join("\n"),
);
