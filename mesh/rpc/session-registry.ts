import type { PresenceEntry } from "../ports/presence.ts";

/** Online as Login sees it. */
export interface SessionRegistry {
  /** Batches with others; settles when the entry is confirmed: only then may the welcome go out. */
  register(entry: PresenceEntry): Promise<void>;
  /** Batches with others; compare and delete. */
  unregister(entry: PresenceEntry): Promise<void>;
}
