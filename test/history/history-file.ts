import { createReadStream, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { HistoryEvent } from "./history-event.ts";

/** Lines joined into one write. */
const linesPerWrite = 10_000;

/** Writes a history as NDJSON, one event a line. */
export function writeHistoryFile(path: string, events: readonly HistoryEvent[]): void {
  writeFileSync(path, "");
  for (let at = 0; at < events.length; at += linesPerWrite) {
    const lines = events.slice(at, at + linesPerWrite).map((event) => JSON.stringify(event));
    writeFileSync(path, `${lines.join("\n")}\n`, { flag: "a" });
  }
}

/** Reads a file made by writeHistoryFile. Throws on a line that is not JSON. */
export async function readHistoryFile(path: string): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY }))
    if (line !== "") events.push(JSON.parse(line) as HistoryEvent);
  return events;
}
