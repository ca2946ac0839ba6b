/** Unseen characters that a terminal or a reader's eye would obey: controls, directions, line separators, halves. */
const unseen = /(?!\u200d)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Starts each further line of a text, so that it cannot pass for somebody else's message. */
const continuation = "\n    | ";

/**
 * A text that is safe on a terminal, whoever wrote it: escape sequences lose their escape, and further lines are set
 * off. Tabs become spaces; what else is unseen becomes U+FFFD.
 */
export function printable(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.replaceAll("\t", "  ").replace(unseen, "\ufffd"))
    .join(continuation);
}
