import { create, toBinary } from "@bufbuild/protobuf";
import { type HeadHint, HeadHintSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { conversationIdOfKey } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";

/** The newest messages pushed on one connection and not acknowledged. */
export class Tail {
  readonly #unacked = new Map<string, number>();
  #compareHeads = false;
  #hinted = true;

  /** A message was pushed. Answers whether a hint is now due that was not before. */
  pushed(conversation: string, seq: number): boolean {
    const known = this.#unacked.get(conversation);
    if (known !== undefined && known >= seq) return false;
    if (known === undefined && this.#unacked.size >= limits.maxUnackedConversations) this.#compareHeads = true;
    else this.#unacked.set(conversation, seq);
    const due = this.#hinted;
    this.#hinted = false;
    return due;
  }

  /** Bodies were dropped: the client must compare all heads. */
  dropped(): void {
    this.#compareHeads = true;
  }

  acked(conversation: string, seq: number): void {
    const known = this.#unacked.get(conversation);
    if (known !== undefined && known <= seq) this.#unacked.delete(conversation);
  }

  /** What the client should have by now. Asking clears the flag to compare heads. */
  unacked(): Pick<HeadHint, "compareHeads"> & { unacked: { conversationId: Uint8Array; seq: bigint }[] } {
    const compareHeads = this.#compareHeads;
    this.#compareHeads = false;
    const unacked = [...this.#unacked].map(([key, seq]) => ({
      conversationId: conversationIdOfKey(key),
      seq: BigInt(seq),
    }));
    return { unacked, compareHeads };
  }

  /** The one hint after pushes without acknowledgement, encoded; undefined when all is acknowledged. */
  hint(): Uint8Array | undefined {
    this.#hinted = true;
    if (this.#unacked.size === 0 && !this.#compareHeads) return undefined;
    return toBinary(HeadHintSchema, create(HeadHintSchema, this.unacked()));
  }
}
