import type { TokenStateService } from "@chappe/gen/proto/chappe/business/v1/token_state_service_pb.ts";
import type { RevocationFeed } from "@chappe/mesh/auth/revocation-feed.ts";
import type { Jwks } from "@chappe/mesh/auth/signing-key.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import type { RevocationList } from "./revocation-list.ts";

/** What createTokenState needs. */
export interface TokenStateOptions {
  readonly feed: Pick<RevocationFeed, "state">;
  readonly list: RevocationList;
  readonly jwks: Jwks;
  readonly resumeKey: Uint8Array;
}

/** Names the list of the log of changes, whose places are the same in every process. */
const listId = Uint8Array.from(Buffer.from("changes", "utf8"));

/** Tells processes that check tokens what they need to know; whichever process they ask next goes on where they are. */
export function createTokenState(options: TokenStateOptions): ServiceImpl<typeof TokenStateService> {
  const { feed, list, jwks, resumeKey } = options;
  return {
    getKeys: () => ({ jwks: JSON.stringify(jwks), resumeKey }),
    getSessionState: ({ userId, sessionId }) => feed.state(userId, sessionId),
    async watchRevocations(request, context) {
      const isFirst = request.listId.length === 0;
      const after = Number(request.after);
      if (isFirst || Buffer.compare(request.listId, listId) !== 0 || (await list.isForeign(after)))
        return { listId, after: BigInt(list.end), missed: !isFirst };
      if (after >= list.end) await list.changed(after, request.waitMs, context.signal);
      // Another process was ahead of this one, and still is.
      if (after > list.end) return { listId, after: request.after };
      const revocations = list.from(after);
      return {
        listId,
        after: BigInt(list.end),
        revocations: [...(revocations ?? [])],
        missed: revocations === undefined,
      };
    },
  };
}
