import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { limits } from "../limits.ts";
import type { HopRing } from "./hop-ring.ts";
import { idTimeMsAt } from "./peek.ts";

/** A message that took longer than others of its time. */
export interface SlowMessage {
  /** Client message id, 32 hexadecimal digits. */
  readonly id: string;
  readonly seq: number;
  /** By the sender's clock, Unix milliseconds. */
  readonly sentMs: number;
  /** Until the first device had it, or until MsgWriter had it when no acknowledgement is known. */
  readonly tookMs: number;
  readonly isOnDevice: boolean;
}

/** The slowest, first, of the messages that MsgWriter of this process sequenced within the newest entries of the ring. */
export function findSlowMessages(ring: HopRing): SlowMessage[] {
  const ackedMs = new Map<string, number>();
  const found: SlowMessage[] = [];
  const placeOf = (at: number): string => `${ring.conversation[at]} ${ring.lastSeq[at]}`;
  const oldest = Math.max(0, ring.next - limits.maxSlowScan);
  for (let place = ring.next - 1; place >= oldest; place--) {
    const at = ring.indexOf(place);
    if (at < 0) break;
    // From the newest to the oldest: the first acknowledgement of a message is kept.
    if (ring.hop[at] === Hop.DEVICE_ACK) ackedMs.set(placeOf(at), ring.endMs[at]!);
    if (ring.hop[at] !== Hop.SEQUENCE || !ring.isMessage(at)) continue;
    const id = ring.idOf(at);
    const sentMs = idTimeMsAt(id, 0);
    const acked = ackedMs.get(placeOf(at));
    const tookMs = (acked ?? ring.endMs[at]!) - sentMs;
    if (tookMs < 0 || tookMs > limits.slowMessageMaxMs) continue;
    const isOnDevice = acked !== undefined;
    found.push({ id: Buffer.from(id).toString("hex"), seq: ring.lastSeq[at]!, sentMs, tookMs, isOnDevice });
  }
  return found.sort((a, b) => b.tookMs - a.tookMs).slice(0, limits.maxSlowMessages);
}
