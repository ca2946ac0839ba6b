import { registerHooks } from "node:module";

/** One replacement in a source file of the product; the text must be there exactly once. */
export interface Patch {
  /** End of the file's path. */
  readonly file: string;
  readonly text: string;
  readonly by: string;
}

/** From now on this process loads those files with that text replaced. For processes of a test alone. */
export function patchSources(patches: readonly Patch[]): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      let source: string | undefined;
      for (const { file, text, by } of patches) {
        if (!url.endsWith(`/${file}`)) continue;
        source ??= String(loaded.source);
        if (source.split(text).length !== 2) throw new Error(`${file} no longer holds, once: ${text}`);
        source = source.replace(text, () => by);
      }
      return source === undefined ? loaded : { ...loaded, source };
    },
  });
}
