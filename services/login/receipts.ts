import { SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { ByteWriter } from "@chappe/mesh/codec/byte-writer.ts";
import { bytesFieldSize, delimitedSize, fixed64FieldSize, numberFieldSize } from "@chappe/mesh/codec/wire-size.ts";
import { conversationIdOfKey } from "@chappe/mesh/ids/conversation-id.ts";
import { noBytes, type Router } from "@chappe/mesh/rpc/call.ts";
import { internalIdentity } from "@chappe/mesh/rpc/identity.ts";
import { methodContractOf } from "@chappe/mesh/rpc/method-contracts.ts";
import { type TimerWheel, WheelTimer } from "@chappe/mesh/timers/timer-wheel.ts";
import type { LoginLimits } from "./login-options.ts";
import type { LoginStats } from "./login-stats.ts";

/** One acknowledged position. */
interface Receipt {
  readonly conversationKey: string;
  readonly userId: bigint;
  readonly seq: number;
}

/** ReportDeliveredRequest of receipts, by hand: thousands of small items are slow through reflection. */
function encodeReport(receipts: readonly Receipt[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { conversationKey, userId, seq } of receipts) {
    const conversationId = conversationIdOfKey(conversationKey);
    const size = bytesFieldSize(conversationId) + fixed64FieldSize(userId) + numberFieldSize(seq);
    writer.reserve(delimitedSize(size));
    writer.head(0x0a, size);
    writer.bytesField(0x0a, conversationId);
    writer.fixed64Field(0x11, userId);
    writer.numberField(0x18, seq);
  }
  return writer.finish();
}

/**
 * Reports what devices have acknowledged to SyncService: collapsed per conversation and user, in batches, one call in
 * flight. Lossy: what cannot be reported is dropped, the next acknowledgement says more. As a timer it is its own flush.
 */
export class Receipts extends WheelTimer {
  readonly #router: Router;
  readonly #wheel: TimerWheel;
  readonly #limits: LoginLimits;
  readonly #stats: LoginStats;
  readonly #address: { readonly svid: number; readonly cmd: number };
  readonly #waiting = new Map<bigint, Map<string, number>>();
  #count = 0;
  #inFlight = false;

  constructor(router: Router, wheel: TimerWheel, limits: LoginLimits, stats: LoginStats) {
    super();
    this.#router = router;
    this.#wheel = wheel;
    this.#limits = limits;
    this.#stats = stats;
    const { svid, cmd } = methodContractOf(SyncService.method.reportDelivered);
    this.#address = { svid, cmd };
  }

  /** Takes one acknowledgement. */
  add(userId: bigint, conversationKey: string, seq: number): void {
    let ofUser = this.#waiting.get(userId);
    const before = ofUser?.get(conversationKey);
    if (before !== undefined && before >= seq) return;
    if (before === undefined) {
      if (this.#count >= this.#limits.maxWaitingReceipts) {
        this.#stats.receiptsDropped++;
        return;
      }
      this.#count++;
    }
    if (ofUser === undefined) {
      ofUser = new Map();
      this.#waiting.set(userId, ofUser);
    }
    ofUser.set(conversationKey, seq);
    if (this.wheelSlot < 0 && !this.#inFlight) this.#wheel.schedule(this, this.#limits.receiptFlushMs);
  }

  override onTimer(): void {
    void this.#flush();
  }

  /** Drops what waits. */
  close(): void {
    this.#wheel.cancel(this);
    this.#waiting.clear();
    this.#count = 0;
  }

  #take(): Receipt[] {
    const receipts: Receipt[] = [];
    for (const [userId, ofUser] of this.#waiting) {
      for (const [conversationKey, seq] of ofUser) {
        if (receipts.length >= this.#limits.maxReceiptsPerCall) return receipts;
        receipts.push({ conversationKey, userId, seq });
        ofUser.delete(conversationKey);
        this.#count--;
      }
      this.#waiting.delete(userId);
    }
    return receipts;
  }

  async #flush(): Promise<void> {
    this.#inFlight = true;
    while (this.#count > 0) {
      const receipts = this.#take();
      try {
        await this.#router.call({
          ...this.#address,
          payload: encodeReport(receipts),
          identity: internalIdentity,
          affinity: noBytes,
          deadlineMs: Date.now() + this.#limits.defaultCallTimeoutMs,
          traceContext: noBytes,
        });
        this.#stats.receiptsReported += receipts.length;
      } catch {
        this.#stats.receiptsDropped += receipts.length;
      }
      if (this.#count < this.#limits.maxReceiptsPerCall) break;
    }
    this.#inFlight = false;
    if (this.#count > 0) this.#wheel.schedule(this, this.#limits.receiptFlushMs);
  }
}
