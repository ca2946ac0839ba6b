import { randomBytes } from "node:crypto";
import type { TokenStateService } from "@chappe/gen/proto/chappe/business/v1/token_state_service_pb.ts";
import type { RevocationFeed } from "@chappe/mesh/auth/revocation-feed.ts";
import type { Jwks } from "@chappe/mesh/auth/signing-key.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Revocation } from "@chappe/mesh/rpc/token-verifier.ts";
import type { ServiceImpl } from "@connectrpc/connect";

/** What createTokenState needs. */
export interface TokenStateOptions {
  readonly feed: RevocationFeed;
  readonly jwks: Jwks;
  readonly resumeKey: Uint8Array;
}

/** Handlers of TokenStateService, and their end. */
export interface TokenState {
  readonly impl: ServiceImpl<typeof TokenStateService>;
  /** Answers all who wait. */
  close(): void;
}

/** The newest revocations since the start, by their place. */
class RevocationList {
  readonly listId = randomBytes(8);
  #first = 0;
  #items: Revocation[] = [];
  #waiting = new Set<() => void>();

  get end(): number {
    return this.#first + this.#items.length;
  }

  add(revocation: Revocation): void {
    this.#items.push(revocation);
    if (this.#items.length > 2 * limits.maxRevocations) {
      this.#items = this.#items.slice(-limits.maxRevocations);
      this.#first = this.end - limits.maxRevocations;
    }
    this.wake();
  }

  /** Those from a place on; undefined when some of them are not here any more. */
  from(place: number): readonly Revocation[] | undefined {
    return place < this.#first || place > this.end ? undefined : this.#items.slice(place - this.#first);
  }

  /** Settles at the next one, after `waitMs`, or when `signal` aborts. */
  async changed(waitMs: number, signal: AbortSignal): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let wake: (() => void) | undefined;
    await new Promise<void>((resolve) => {
      wake = resolve;
      this.#waiting.add(resolve);
      timer = setTimeout(resolve, waitMs);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    clearTimeout(timer);
    if (wake !== undefined) this.#waiting.delete(wake);
  }

  wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}

/** Tells processes that check tokens what they need to know. */
export function createTokenState({ feed, jwks, resumeKey }: TokenStateOptions): TokenState {
  const list = new RevocationList();
  const { listId } = list;
  const unsubscribe = feed.subscribe((revocation) => list.add(revocation));
  return {
    impl: {
      getKeys: () => ({ jwks: JSON.stringify(jwks), resumeKey }),
      getSessionState: ({ userId, sessionId }) => feed.state(userId, sessionId),
      async watchRevocations(request, context) {
        const isOurs = Buffer.compare(request.listId, listId) === 0;
        const isFirst = request.listId.length === 0;
        if (!isOurs) return { listId, after: BigInt(list.end), missed: !isFirst };
        const after = Number(request.after);
        if (after === list.end) await list.changed(request.waitMs, context.signal);
        const revocations = list.from(after);
        return {
          listId,
          after: BigInt(list.end),
          revocations: [...(revocations ?? [])],
          missed: revocations === undefined,
        };
      },
    },
    close() {
      unsubscribe();
      list.wake();
    },
  };
}
