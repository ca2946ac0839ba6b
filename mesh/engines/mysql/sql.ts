import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";

/** Statement text that was made by `sql` or from literals of this file, so that no value of a caller is read as SQL. */
export class Sql {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a statement may hold; an array becomes a list in parentheses. */
export type SqlValue = number | bigint | string | Uint8Array | Sql | readonly SqlValue[];

/** Bytes as a literal. */
export function bytesLiteral(bytes: Uint8Array): string {
  return `x'${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}'`;
}

/** A whole number as a literal; INVALID_ARGUMENT for any other. */
export function numberLiteral(value: number): string {
  if (!Number.isSafeInteger(value)) throw new ChappeError("INVALID_ARGUMENT", `${value} is not a whole number`);
  return String(value);
}

function literal(value: SqlValue): string {
  if (typeof value === "number") return numberLiteral(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string") return `_utf8mb4 ${bytesLiteral(Buffer.from(value, "utf8"))}`;
  if (value instanceof Sql) return value.text;
  if (value instanceof Uint8Array) return bytesLiteral(value);
  // A list without items matches nothing.
  return `(${value.length === 0 ? "NULL" : value.map(literal).join(",")})`;
}

/** A statement, or a part of one, from a template; values become literals. */
export function sql(parts: TemplateStringsArray, ...values: readonly SqlValue[]): Sql {
  let text = parts[0]!;
  for (const [index, value] of values.entries()) text += literal(value) + parts[index + 1]!;
  return new Sql(text);
}

/** Multi-row inserts of "(...)" rows, each within the bounds of one statement. */
export function insertStatements(head: string, rows: readonly string[], tail = ""): string[] {
  const statements: string[] = [];
  let some: string[] = [];
  let bytes = 0;
  const close = (): void => {
    if (some.length > 0) statements.push(`${head} VALUES ${some.join(",")} ${tail}`);
    some = [];
    bytes = 0;
  };
  for (const row of rows) {
    if (some.length >= limits.maxMysqlRowsPerStatement || bytes + row.length > limits.maxMysqlPacketBytes) close();
    some.push(row);
    bytes += row.length;
  }
  close();
  return statements;
}

/** Statements one after the other in as few packets as their bound allows. */
export function toPackets(statements: readonly string[]): Sql[] {
  const packets: Sql[] = [];
  let text = "";
  for (const statement of statements) {
    if (text !== "" && text.length + statement.length > limits.maxMysqlPacketBytes) {
      packets.push(new Sql(text));
      text = "";
    }
    text += text === "" ? statement : `;${statement}`;
  }
  if (text !== "") packets.push(new Sql(text));
  return packets;
}
