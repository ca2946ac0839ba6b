/** A value of plain YAML. */
export type PlainYaml = string | PlainYaml[] | { [key: string]: PlainYaml };

interface Line {
  readonly indent: number;
  readonly text: string;
}

const keyed = /^([\w-]+):(?: (.*))?$/;

const scalar = (text: string): PlainYaml => (text === "{}" ? {} : text.replace(/^"(.*)"$/, "$1"));

function take(lines: Line[], indent: number): PlainYaml {
  if (lines[0]?.text.startsWith("- ")) {
    const list: PlainYaml[] = [];
    while (lines[0]?.indent === indent && lines[0].text.startsWith("- "))
      list.push(scalar(lines.shift()!.text.slice(2)));
    return list;
  }
  const map: { [key: string]: PlainYaml } = {};
  while (lines[0]?.indent === indent) {
    const line = lines.shift()!;
    const [, key, value] = keyed.exec(line.text) ?? [];
    if (key === undefined || key in map) throw new Error(`not plain YAML: ${line.text}`);
    const next = lines[0];
    map[key] =
      value !== undefined ? scalar(value) : next !== undefined && next.indent > indent ? take(lines, next.indent) : "";
  }
  return map;
}

/** Reads the part of YAML that compose.yaml is written in: maps, lists of scalars, scalars on one line. Throws on the rest. */
export function parsePlainYaml(text: string): PlainYaml {
  const lines = text
    .split("\n")
    .filter((line) => !/^\s*(?:#.*)?$/.test(line))
    .map((line) => ({ indent: line.search(/\S/), text: line.trim() }));
  const value = take(lines, 0);
  if (lines.length > 0) throw new Error(`not plain YAML: ${lines[0]!.text}`);
  return value;
}
