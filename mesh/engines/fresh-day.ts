import type { ArchiveDay } from "../ports/archive-source.ts";

/** A day of an archive of which nothing has been done yet. */
export const freshDay = (day: number, recopies = 0): ArchiveDay => ({
  day,
  step: "copying",
  copiedTimeMs: 0,
  recopies,
  messages: 0,
  bytes: 0,
  digest: "",
  archivedTimeMs: 0,
});
