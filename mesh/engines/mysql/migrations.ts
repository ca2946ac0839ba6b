import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ChappeError } from "../../errors/chappe-error.ts";

/** One step of the schema: NNN-name.sql. */
export interface Migration {
  /** From 1 on, without a gap. */
  readonly version: number;
  readonly name: string;
  /** SHA-256 of the file in hex; line ends do not count. */
  readonly checksum: string;
  /**
   * Each may be repeated, or adds one column: MySQL has no transactions for them, so a run that dies half way is run
   * again.
   */
  readonly statements: readonly string[];
}

/** A migration that a database has. */
export interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
}

const fileName = /^(\d{3})-([a-z0-9-]+)\.sql$/;

/** The migrations of this build. */
const migrationsFolder = join(import.meta.dirname, "migrations");

function toMigration(folder: string, file: string, index: number): Migration {
  const match = fileName.exec(file);
  if (match === null || Number(match[1]) !== index + 1)
    throw new ChappeError("INTERNAL", `migration ${file}: expected ${String(index + 1).padStart(3, "0")}-name.sql`);
  const text = readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n");
  const bare = text.replaceAll(/^--.*$/gm, "");
  const statements = bare.split(/;\s*(?:\n|$)/).flatMap((one) => (one.trim() === "" ? [] : [one.trim()]));
  return { version: index + 1, name: file, checksum: createHash("sha256").update(text).digest("hex"), statements };
}

/** Reads a folder of migrations; statements end with ";" at the end of a line, comments are whole lines of "--". */
export function readMigrations(folder: string = migrationsFolder): readonly Migration[] {
  const files = readdirSync(folder).filter((file) => file.endsWith(".sql"));
  return files.sort().map((file, index) => toMigration(folder, file, index));
}

/** Throws UNAVAILABLE, with what to do, when the database has what this build does not know or knows differently. */
export function assertKnown(known: readonly Migration[], applied: readonly AppliedMigration[], database: string): void {
  for (const { version, name, checksum } of applied) {
    const ours = known[version - 1];
    if (ours === undefined) {
      const text = `the schema of database ${database} has version ${version} (${name}), this build knows ${known.length}`;
      throw new ChappeError("UNAVAILABLE", `${text}: run the newer build, migrations go one way`);
    }
    if (ours.checksum !== checksum) {
      const text = `migration ${ours.name} is not the one that database ${database} was made with (as ${name})`;
      throw new ChappeError("UNAVAILABLE", `${text}: restore that file; a change of the schema is a new migration`);
    }
  }
}
