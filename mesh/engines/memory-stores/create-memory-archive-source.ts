import { ChappeError } from "../../errors/chappe-error.ts";
import type { ArchiveDay, ArchiveLead, ArchiveSource, RunPosition } from "../../ports/archive-source.ts";
import type { MessageRun } from "../../ports/message-store.ts";
import { firstLoggedTimeMs } from "../first-logged-time.ts";
import { freshDay } from "../fresh-day.ts";
import { dayOf } from "../mysql/day-partitions.ts";

/** The runs of a store in memory. */
export interface MemoryRuns {
  /** Commits so far. */
  commits(): number;
  runs(): readonly MessageRun[];
  remove(gone: ReadonlySet<MessageRun>): void;
}

const dayOfRun = ({ bytes }: MessageRun): number => dayOf(firstLoggedTimeMs(bytes));

const compare = (a: RunPosition, b: RunPosition): number =>
  Buffer.compare(a.conversationId, b.conversationId) || a.firstSeq - b.firstSeq;

class MemoryArchiveSource implements ArchiveSource {
  readonly #runs: MemoryRuns;
  readonly #days = new Map<number, ArchiveDay>();
  #leader: symbol | undefined;
  #closed = false;

  constructor(runs: MemoryRuns) {
    this.#runs = runs;
  }

  async lead<T>(work: (lead: ArchiveLead) => Promise<T>): Promise<T | undefined> {
    if (this.#closed) throw new ChappeError("UNAVAILABLE", "the archive source is closed");
    if (this.#leader !== undefined) return undefined;
    const leader = Symbol("leader");
    this.#leader = leader;
    try {
      return await work(this.#leadOf(leader));
    } finally {
      this.#leader = undefined;
    }
  }

  async days(): Promise<readonly ArchiveDay[]> {
    return [...this.#days.values()].sort((a, b) => a.day - b.day);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #leadOf(leader: symbol): ArchiveLead {
    const assertLeads = (): void => {
      if (this.#closed || this.#leader !== leader) throw new ChappeError("UNAVAILABLE", "this archiver does not lead");
    };
    const runsOf = (day: number) => this.#runs.runs().filter((run) => dayOfRun(run) === day);
    return {
      closedDays: async (beforeDay) => {
        assertLeads();
        return this.#closedDays(beforeDay);
      },
      readPage: async (day, after, limit) => {
        assertLeads();
        const rest = runsOf(day).filter((run) => after === undefined || compare(run, after) > 0);
        return rest.sort(compare).slice(0, limit);
      },
      save: async (day) => {
        assertLeads();
        this.#days.set(day.day, day);
      },
      lateMark: async () => {
        assertLeads();
        return this.#runs.commits();
      },
      drop: async (day, lateMark) => {
        assertLeads();
        if (this.#runs.commits() !== lateMark) return false;
        this.#runs.remove(new Set(runsOf(day)));
        return true;
      },
    };
  }

  #closedDays(beforeDay: number): ArchiveDay[] {
    const present = new Set(this.#runs.runs().map(dayOfRun));
    for (const day of this.#days.values()) {
      if (day.step !== "dropping" || present.has(day.day)) continue;
      this.#days.set(day.day, { ...day, step: "archived", archivedTimeMs: Date.now() });
    }
    const closed = [...present].filter((day) => day < beforeDay).sort((a, b) => a - b);
    return closed.map((day) => {
      const before = this.#days.get(day);
      return before === undefined || before.step === "archived" ? freshDay(day, before?.recopies) : before;
    });
  }
}

/** The runs of a store in memory as days of an archive. */
export function createMemoryArchiveSource(runs: MemoryRuns): ArchiveSource {
  return new MemoryArchiveSource(runs);
}
