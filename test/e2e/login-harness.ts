import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createTokenVerifier } from "@chappe/mesh/auth/create-token-verifier.ts";
import { createMemoryRevocationFeed } from "@chappe/mesh/auth/revocation-feed.ts";
import { loadSigningKey } from "@chappe/mesh/auth/signing-key.ts";
import { createTokenSigner } from "@chappe/mesh/auth/token-signer.ts";
import { createMemoryPresence } from "@chappe/mesh/engines/memory-presence/memory-presence.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Presence } from "@chappe/mesh/ports/presence.ts";
import type { Call, Router } from "@chappe/mesh/rpc/call.ts";
import type { TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import { createRequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { createLogin, type Login } from "@chappe/services/login/login.ts";
import type { LoginOptions } from "@chappe/services/login/login-options.ts";
import { createOnline, type Online } from "@chappe/services/online/online.ts";

/** Address of a method that any signed-in user may call: SyncService.ListHeads. Here it echoes its payload. */
export const echo = { svid: 23, cmd: 1 };
/** Address of SyncService.ReportDelivered, for the mesh alone. */
export const reportDelivered = { svid: 23, cmd: 4 };

/** A Login with all it needs, on a real port. */
export interface LoginHarness {
  readonly login: Login;
  readonly online: Online;
  readonly presence: Presence;
  readonly server: Server;
  readonly url: string;
  readonly port: number;
  /** Calls that reached the router. */
  readonly calls: Call[];
  /** Replaces what the router does; the echo of the payload unless set. */
  handle: (call: Call) => Promise<Uint8Array>;
  readonly verifier: TokenVerifier & { verifications: number };
  /** An access token; `ttlMs` below zero = ended already. */
  token(userId: bigint, more?: { sessionId?: bigint; sessionVersion?: number; ttlMs?: number }): Promise<string>;
  revoke(userId: bigint, sessionId: bigint): void;
  close(): Promise<void>;
}

async function createTokens() {
  const key = await loadSigningKey({ secret: (_name, make) => make() });
  const ended = new Set<bigint>();
  const feed = createMemoryRevocationFeed({
    usersById: async (userIds) => userIds.map(() => ({ sessionVersion: 1 })),
    session: async (sessionId) => (ended.has(sessionId) ? undefined : { userId: sessionId / 100n }),
  });
  const verifier = createTokenVerifier({ keyOf: (kid) => (kid === key.kid ? key.publicKey : undefined), feed });
  const counting = {
    verifications: 0,
    verify(token: string) {
      counting.verifications++;
      return verifier.verify(token);
    },
    check: verifier.check.bind(verifier),
    checkStored: verifier.checkStored.bind(verifier),
    onRevoked: verifier.onRevoked.bind(verifier),
  };
  return {
    verifier: counting,
    async token(userId: bigint, more: { sessionId?: bigint; sessionVersion?: number; ttlMs?: number } = {}) {
      const { sessionId = userId * 100n, sessionVersion = 1, ttlMs = 3_600_000 } = more;
      const signer = createTokenSigner({ key, ttlMs });
      return (await signer.sign({ userId, sessionId, sessionVersion })).token;
    },
    revoke(userId: bigint, sessionId: bigint) {
      ended.add(sessionId);
      feed.publish({ userId, sessionId, minSessionVersion: 0 });
    },
  };
}

/** Starts one. Session ids belong to user sessionId / 100. */
export async function startLogin(options: Partial<LoginOptions> = {}): Promise<LoginHarness> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { verifier, token, revoke } = await createTokens();
  const presence = createMemoryPresence();
  const holder: { login?: Login } = {};
  const online = createOnline({
    presence,
    sinks: { sink: (loginId) => (loginId === "login-a" ? holder.login : undefined) },
    loginId: "login-a",
    loginEpoch: 1,
  });
  const calls: Call[] = [];
  const router: Router = {
    call(call) {
      calls.push(call);
      if (call.svid === 99) throw new ChappeError("UNAVAILABLE");
      return harness.handle(call);
    },
  };
  const login = createLogin({
    server,
    loginId: "login-a",
    loginEpoch: 1,
    verifier,
    registry: online,
    router,
    resumeKey: new Uint8Array(32).fill(7),
    validator: createRequestValidator(),
    ...options,
  });
  holder.login = login;
  const harness: LoginHarness = {
    login,
    online,
    presence,
    server,
    url: `ws://127.0.0.1:${port}/v1/socket`,
    port,
    calls,
    handle: async (call) => call.payload,
    verifier,
    token,
    revoke,
    async close() {
      await login.close();
      await online.close();
      await presence.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return harness;
}
