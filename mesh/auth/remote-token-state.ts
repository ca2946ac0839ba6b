import { createPublicKey, type KeyObject } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { TokenStateService } from "@chappe/gen/proto/chappe/business/v1/token_state_service_pb.ts";
import { createClient, type Transport } from "@connectrpc/connect";
import type { JWK } from "jose";
import { ChappeError } from "../errors/chappe-error.ts";
import { type Logger, silentLogger } from "../lifecycle/logger.ts";
import { limits } from "../limits.ts";
import type { Revocation } from "../rpc/token-verifier.ts";
import type { RevocationFeed } from "./revocation-feed.ts";
import type { Jwks } from "./signing-key.ts";

/** What a process that checks tokens learns from the one that makes them. */
export interface RemoteTokenState {
  readonly feed: RevocationFeed;
  readonly jwks: Jwks;
  readonly resumeKey: Uint8Array;
  keyOf(kid: string): KeyObject | undefined;
  close(): void;
}

/** What createRemoteTokenState needs. */
export interface RemoteTokenStateOptions {
  readonly transport: Transport;
  /** Revocations may have been missed: the state of each session in hand has to be asked for. */
  readonly onMissed: () => void;
  /** @default says nothing */
  readonly logger?: Logger;
}

const keysOf = (jwks: Jwks): ReadonlyMap<string, KeyObject> =>
  new Map(jwks.keys.map((key: JWK) => [key.kid ?? "", createPublicKey({ key: { ...key }, format: "jwk" })]));

/** Processes of a mesh start in any order: what is not served yet may be in a moment. */
async function keysWhenServed<T>(ask: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + limits.routeWaitMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!ChappeError.from(error).row.retryable || performance.now() > untilMs) throw error;
      await sleep(limits.revocationRetryMs);
    }
  }
}

/**
 * Asks for the keys, again while nobody serves them yet, then follows the revocations until `close`: each is here a moment after it was stored, and after a
 * break `onMissed` says that some may not have come. Rejects when the keys cannot be had.
 */
export async function createRemoteTokenState(options: RemoteTokenStateOptions): Promise<RemoteTokenState> {
  const { transport, onMissed, logger = silentLogger } = options;
  const client = createClient(TokenStateService, transport);
  const keys = await keysWhenServed(() => client.getKeys({}));
  const jwks = JSON.parse(keys.jwks) as Jwks;
  const publicKeys = keysOf(jwks);
  const listeners = new Set<(revocation: Revocation) => void>();
  const closing = new AbortController();
  const { signal } = closing;

  const follow = async (): Promise<void> => {
    let place: { listId: Uint8Array; after: bigint } = { listId: new Uint8Array(0), after: 0n };
    while (!signal.aborted) {
      try {
        const waitMs = limits.revocationWaitMs;
        const answer = await client.watchRevocations({ ...place, waitMs }, { signal, timeoutMs: 2 * waitMs });
        for (const revocation of answer.revocations) for (const listener of [...listeners]) listener(revocation);
        if (answer.missed) onMissed();
        place = { listId: answer.listId, after: answer.after };
      } catch (error) {
        if (signal.aborted) return;
        logger.warn("revocations.not-followed", { error });
        await sleep(limits.revocationRetryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  };
  void follow();
  return {
    jwks,
    resumeKey: keys.resumeKey,
    keyOf: (kid) => publicKeys.get(kid),
    feed: {
      subscribe(listener) {
        listeners.add(listener);
        return () => {
          listeners.delete(listener);
        };
      },
      async state(userId, sessionId) {
        return await client.getSessionState({ userId, sessionId });
      },
    },
    close: () => closing.abort(),
  };
}
