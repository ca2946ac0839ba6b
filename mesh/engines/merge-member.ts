import type { MemberRow } from "../ports/message-store.ts";

/** The row that stands after `newer` was upserted over `older`, as the MessageStore port says. */
export function mergeMember(older: MemberRow | undefined, newer: MemberRow): MemberRow {
  if (older === undefined) return newer;
  if (older.leaveSeq > 0 && newer.leaveSeq > 0) return older;
  const keepsJoin = newer.joinSeq === 0 || (older.leaveSeq === 0 && newer.leaveSeq === 0);
  return keepsJoin ? { ...newer, joinSeq: older.joinSeq } : newer;
}
