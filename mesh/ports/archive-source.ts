import type { MessageRun } from "./message-store.ts";

/** Where one run stands among those of a day: in order of conversation, then of seq. */
export interface RunPosition {
  readonly conversationId: Uint8Array;
  readonly firstSeq: number;
}

/**
 * How far a day is. "copying": some of its runs are in the history. "waiting": all that were there are, and the grace
 * runs. "dropping": verified, and the source lets go of it now. "archived": the history alone has it.
 */
export type ArchiveStep = "copying" | "waiting" | "dropping" | "archived";

/** One day in the catalogue: what has been done of it, and what the history has of it. */
export interface ArchiveDay {
  /** Days since 1970, UTC; the last one when the source keeps several as one. */
  readonly day: number;
  readonly step: ArchiveStep;
  /** While copying: the last run that is in the history; undefined = none. */
  readonly after?: RunPosition;
  /** When the last copy was complete, Unix milliseconds; 0 = never. */
  readonly copiedTimeMs: number;
  /** How often a verification or a late commit made it be copied again. */
  readonly recopies: number;
  /** Of the last verification: messages, their bytes, and the SHA-256 of them in order, as hex; 0 and "" before it. */
  readonly messages: number;
  readonly bytes: number;
  readonly digest: string;
  /** When the source let go of it, Unix milliseconds; 0 = not yet. */
  readonly archivedTimeMs: number;
}

/**
 * What an archiver may do while it leads. Everything rejects with UNAVAILABLE once the lead is lost, and nothing that
 * changes the source or the catalogue takes effect then.
 */
export interface ArchiveLead {
  /**
   * Days that the source has and that are all before `beforeDay`, oldest first, each with what is known of it; "copying"
   * from the start when nothing is. A day that was being dropped and is gone counts as archived from now on.
   */
  closedDays(beforeDay: number): Promise<readonly ArchiveDay[]>;
  /** The next runs of a day in order of position, at most `limit`; none = there are no more. Each whole. */
  readPage(day: number, after: RunPosition | undefined, limit: number): Promise<readonly MessageRun[]>;
  /** Writes down where a day stands; durable when it settles. */
  save(day: ArchiveDay): Promise<void>;
  /** A number that moves with every commit into a day that may be closed: read it before anything is verified. */
  lateMark(): Promise<number>;
  /**
   * Lets go of the runs of a day, all at once, if no commit has moved the late mark meanwhile; while it decides, none
   * can. Answers whether it did; a day that is gone counts as done. Heads, dedupe entries and members stay.
   */
  drop(day: number, lateMark: number): Promise<boolean>;
}

/** The side of a MessageStore that an archiver moves old days away from. A run belongs to the day of its first message. */
export interface ArchiveSource {
  /**
   * Runs `work` while nobody else leads; answers undefined, at once, when somebody does. The lead ends with the
   * work, or with the process or its connection: then another may lead.
   */
  lead<T>(work: (lead: ArchiveLead) => Promise<T>): Promise<T | undefined>;
  /** The catalogue, oldest day first. For anybody, at any time. */
  days(): Promise<readonly ArchiveDay[]>;
  /** Does not wait for a lead in hand; its work fails. */
  close(): Promise<void>;
}
