/** What a history can be found guilty of. */
export const findingKinds = [
  "lost",
  "duplicate",
  "hole",
  "reordered",
  "phantom",
  "unauthorised",
  "conflict",
  "behind",
  "incomplete",
] as const;

/** One of findingKinds. */
export type FindingKind = (typeof findingKinds)[number];

/** How often, and the first few cases in words. */
export interface Finding {
  readonly count: number;
  readonly examples: readonly string[];
}

const maxExamples = 5;

/** Counts findings, each distinct case once. */
export class Findings {
  readonly #byKind = new Map<FindingKind, { count: number; examples: string[]; seen: Set<string> }>(
    findingKinds.map((kind) => [kind, { count: 0, examples: [], seen: new Set() }]),
  );

  /** Adds a case; `key` tells cases apart, `weight` is how many messages it concerns. */
  add(kind: FindingKind, key: string, text: string, weight = 1): void {
    const entry = this.#byKind.get(kind)!;
    if (entry.seen.has(key)) return;
    entry.seen.add(key);
    entry.count += weight;
    if (entry.examples.length < maxExamples) entry.examples.push(text);
  }

  /** All kinds, also the empty ones. */
  report(): Record<FindingKind, Finding> {
    return Object.fromEntries(
      [...this.#byKind].map(([kind, { count, examples }]) => [kind, { count, examples }]),
    ) as unknown as Record<FindingKind, Finding>;
  }
}
