import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Patch } from "./patch-sources.ts";

/** Builds that must not pass: each leaves out one measure that the promises rest on. Only processes of a test get them. */
export const breaks = {
  /** A commit takes effect whoever makes it, from wherever; nor does an owner look whether it still is one. */
  "no-cas": [
    {
      file: "mesh/engines/mysql-message-store/commit-statements.ts",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: source text of a template
      text: ' AND (${expected.join(" OR ")})`',
      by: "`",
    },
    {
      file: "mesh/engines/mysql-message-store/committing.ts",
      text: "if (moved !== steps.length) throw",
      by: "if (moved < 0) throw",
    },
    {
      file: "services/msg-writer/msg-writer.ts",
      text: "if (loaded || known.size > 0) await this.#assertOwned(inputs);",
      by: "void loaded;",
    },
  ],
  /** Every record is a message of its own, though its id was seen. */
  "no-dedupe": [
    {
      file: "services/msg-writer/sequencer.ts",
      text: "const first = pending.get(key) ?? known.get(key);",
      by: "const first = known.get('');",
    },
    {
      file: "mesh/engines/mysql-message-store/commit-statements.ts",
      text: '"INSERT INTO send"',
      by: '"INSERT IGNORE INTO send"',
    },
  ],
  /** The ack goes out before the log has the message. */
  "ack-before-log": [
    {
      file: "services/msg-proxy/lanes.ts",
      text: 'await log.append("messages", partition, encodeLogRecord(entries));',
      by: `for (const request of batch) request.resolve();
      await log.append("messages", partition, encodeLogRecord(entries));`,
    },
  ],
} as const satisfies Readonly<Record<string, readonly Patch[]>>;

/** One of them. */
export type BreakName = keyof typeof breaks;

/** Variable that names the break of a process. */
export const breakVariable = "CHAPPE_TEST_BREAK";

/** The environment of a process that is to run without the measure. */
export const breakEnvironment = (name: BreakName): Record<string, string> => ({
  [breakVariable]: name,
  NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, "break-hooks.ts")).href}`,
});
