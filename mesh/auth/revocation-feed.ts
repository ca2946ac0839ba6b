import type { Revocation } from "../rpc/token-verifier.ts";

/** What Auth has stored of a user and one of the user's sessions. */
export interface SessionState {
  /** Session version of the user; 0 = there is no such user. */
  readonly sessionVersion: number;
  /** Whether the session has not been ended. */
  readonly sessionExists: boolean;
}

/** How verifiers learn that sessions have ended. */
export interface RevocationFeed {
  /** Calls back on each revocation, after it is stored; answers the unsubscribe. */
  subscribe(listener: (revocation: Revocation) => void): () => void;
  /** What is stored now; includes every revocation published before the call. */
  state(userId: bigint, sessionId: bigint): Promise<SessionState>;
}

/** Auth's end of the feed. */
export interface RevocationPublisher {
  /** Tells every subscriber. Call it only after the store has it. */
  publish(revocation: Revocation): void;
}

/** The part of BusinessStore that the feed reads. */
export interface SessionStateStore {
  usersById(userIds: readonly bigint[]): Promise<readonly { readonly sessionVersion: number }[]>;
  session(sessionId: bigint): Promise<{ readonly userId: bigint } | undefined>;
}

/** Feed of one process: publisher and verifiers share it, and the store tells what ended before the start. */
export function createMemoryRevocationFeed(store: SessionStateStore): RevocationFeed & RevocationPublisher {
  const listeners = new Set<(revocation: Revocation) => void>();
  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    async state(userId, sessionId) {
      const [users, session] = await Promise.all([store.usersById([userId]), store.session(sessionId)]);
      return { sessionVersion: users[0]?.sessionVersion ?? 0, sessionExists: session?.userId === userId };
    },
    publish(revocation) {
      for (const listener of [...listeners]) listener(revocation);
    },
  };
}
