/** What a line asks for. */
export type Line =
  | { readonly kind: "nothing" }
  | { readonly kind: "message"; readonly text: string }
  /** `name` = the word after the slash, in lower case. */
  | { readonly kind: "command"; readonly name: string; readonly words: readonly string[] };

/** Words are divided by spaces; quotation marks hold several together. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
}

/** Reads a line: "/name words" is a command, "//..." a message that begins with a slash, anything else a message. */
export function parseLine(line: string): Line {
  const text = line.replace(/\r$/, "");
  if (text.trim() === "") return { kind: "nothing" };
  if (text.startsWith("//")) return { kind: "message", text: text.slice(1) };
  if (!text.startsWith("/")) return { kind: "message", text };
  const [name = "", ...words] = wordsOf(text.slice(1));
  return { kind: "command", name: name.toLowerCase(), words };
}
