import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { isClientHop } from "./client-hop.ts";
import type { HopRing } from "./hop-ring.ts";
import type { Mark, Marks } from "./marks.ts";

/** An entry of the ring that a marked message left. */
export interface Match {
  readonly mark: Mark;
  readonly place: number;
  /** Index in the ring's columns. */
  readonly at: number;
}

/** Marks that the entry belongs to. */
function* marksOf(ring: HopRing, at: number, marks: Marks): Generator<Mark> {
  const isMessage = ring.isMessage(at);
  if (isMessage) {
    for (const mark of marks.withWord(ring.ids[(at << 2) + 3]!) ?? []) if (ring.isOf(at, mark.id)) yield mark;
    if (ring.hop[at] !== Hop.SEQUENCE) return;
  }
  const inConversation = marks.inConversation(ring.conversation[at]!);
  if (inConversation === undefined) return;
  for (const mark of inConversation) {
    const isIn = ring.firstSeq[at]! <= mark.seq && mark.seq <= ring.lastSeq[at]!;
    if (isIn && (!isMessage || mark.id.length === 0)) yield mark;
  }
}

/** MsgWriter's entry knows both the id and the place in the conversation: what a mark lacks is filled in. */
function learn(ring: HopRing, at: number, mark: Mark, marks: Marks): boolean {
  if (ring.hop[at] !== Hop.SEQUENCE) return false;
  const conversation = ring.conversation[at]!;
  return marks.complete(mark, { id: ring.idOf(at), conversation, seq: ring.lastSeq[at]! });
}

/**
 * The entries of all marked messages, oldest first. Entries older than every mark's beginning are not looked at. A mark that
 * becomes complete on the way is told to `onComplete`, and the ring is read again for it.
 */
export function matchMarks(ring: HopRing, marks: Marks, onComplete: (mark: Mark) => void): Match[] {
  let sinceMs = Number.POSITIVE_INFINITY;
  for (const mark of marks.all()) sinceMs = Math.min(sinceMs, mark.sinceMs);
  for (;;) {
    const matches: Match[] = [];
    let learnt = false;
    for (let place = ring.next - 1; ; place--) {
      const at = ring.indexOf(place);
      if (at < 0 || place < 0) break;
      const isOld = Math.max(ring.startMs[at]!, ring.endMs[at]!) < sinceMs;
      // What clients tell comes later than what it tells of.
      if (isOld && !isClientHop(ring.hop[at]!)) break;
      for (const mark of marksOf(ring, at, marks)) {
        matches.push({ mark, place, at });
        if (!learn(ring, at, mark, marks)) continue;
        learnt = true;
        onComplete(mark);
      }
    }
    if (!learnt) return matches.reverse();
  }
}
