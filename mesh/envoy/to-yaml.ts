/** What configurations are made of. */
export type Yaml = string | number | boolean | readonly Yaml[] | Noted | { readonly [key: string]: Yaml | undefined };

/** A value with a comment above it. */
interface Noted {
  readonly [note]: string;
  readonly value: Yaml;
}

const note = Symbol("note");

/** Puts a comment of one line above the value. */
export const noted = (text: string, value: Yaml): Yaml => ({ [note]: text, value });

const plainText = /^[A-Za-z_/.@][\w/.@-]*$/;
const wordsOfYaml = /^(?:true|false|yes|no|on|off|null|y|n)$/i;
const maxInlineColumns = 80;

const isNoted = (value: Yaml): value is Noted => typeof value === "object" && note in value;

const textOf = (value: string): string =>
  plainText.test(value) && !wordsOfYaml.test(value) && !value.startsWith("@") ? value : JSON.stringify(value);
const scalar = (value: string | number | boolean): string =>
  typeof value === "string" ? textOf(value) : String(value);

/** On one line, when everything inside is a scalar and it is short; undefined otherwise. */
function inline(value: Yaml): string | undefined {
  if (typeof value !== "object") return scalar(value);
  const isList = Array.isArray(value);
  if (isNoted(value)) return undefined;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined) as [string, Yaml][];
  if (entries.some(([, item]) => typeof item === "object" && (isNoted(item) || Object.keys(item).length > 1)))
    return undefined;
  const parts = entries.map(([key, item]) => {
    const text = inline(item);
    return text === undefined ? undefined : isList ? text : `${textOf(key)}: ${text}`;
  });
  if (parts.includes(undefined)) return undefined;
  const text = isList ? `[${parts.join(", ")}]` : entries.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
  return text.length > maxInlineColumns ? undefined : text;
}

function itemLines(value: Yaml, lead: string, indent: string): string[] {
  if (isNoted(value)) return [`${indent}# ${value[note]}`, ...itemLines(value.value, lead, indent)];
  const short = inline(value);
  if (short !== undefined) return [`${indent}${lead} ${short}`];
  if (lead === "-") {
    const [first = "", ...rest] = lines(value, `${indent}  `);
    // A comment cannot share the line of the dash.
    if (first.trimStart().startsWith("#")) return [first.slice(2), ...joinDash(rest, indent)];
    return [`${indent}- ${first.trimStart()}`, ...rest];
  }
  return [`${indent}${lead}`, ...lines(value, `${indent}  `)];
}

function joinDash([first = "", ...rest]: readonly string[], indent: string): string[] {
  return [`${indent}- ${first.trimStart()}`, ...rest];
}

function lines(value: Yaml, indent: string): string[] {
  if (typeof value !== "object") return [`${indent}${scalar(value)}`];
  if (isNoted(value)) return [`${indent}# ${value[note]}`, ...lines(value.value, indent)];
  if (Array.isArray(value)) return value.flatMap((item: Yaml) => itemLines(item, "-", indent));
  return Object.entries(value).flatMap(([key, item]) =>
    item === undefined ? [] : itemLines(item as Yaml, `${textOf(key)}:`, indent),
  );
}

/** A configuration as YAML for people: comments where they are noted, small maps and lists on one line. */
export function toYaml(value: Yaml): string {
  return `${lines(value, "").join("\n")}\n`;
}
