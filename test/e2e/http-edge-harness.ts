import { connect } from "node:net";
import { AuthService } from "@chappe/gen/proto/chappe/business/v1/auth_service_pb.ts";
import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { createTokenVerifier } from "@chappe/mesh/auth/create-token-verifier.ts";
import { createMemoryRevocationFeed } from "@chappe/mesh/auth/revocation-feed.ts";
import { loadSigningKey } from "@chappe/mesh/auth/signing-key.ts";
import { createTokenSigner } from "@chappe/mesh/auth/token-signer.ts";
import { createMemoryBusinessStore } from "@chappe/mesh/engines/memory-stores/create-memory-business-store.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { createRequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { createHttpEdge } from "@chappe/services/http-edge/http-edge.ts";
import type { HandlerContext } from "@connectrpc/connect";

/** The edge alone, before services that answer at once. */
export interface EdgeHarness {
  readonly url: string;
  readonly port: number;
  /** A token of user 7. */
  readonly token: string;
  /** Sends bytes as they are; settles with everything that came back once `until` fits it, or the end. */
  raw(bytes: string, until: RegExp): Promise<string>;
  close(): Promise<void>;
}

/** What the harness' services do: GetUsers answers, CreateGroup does `createGroup`. */
export interface EdgeHarnessOptions {
  readonly corsOrigins?: readonly string[];
  readonly createGroup?: (context: HandlerContext) => Promise<object>;
}

/** Starts an edge on any free port. */
export async function startEdge({ corsOrigins, createGroup }: EdgeHarnessOptions = {}): Promise<EdgeHarness> {
  const store = createMemoryBusinessStore();
  const key = await loadSigningKey(store);
  const session = { sessionId: 70n, userId: 7n, refreshHash: new Uint8Array(32), expiresTimeMs: Date.now() + 1e9 };
  await store.insertUser({ userId: 7n, name: "ada", displayName: "Ada", passwordHash: "", sessionVersion: 1 });
  await store.insertSession(session);
  const verifier = createTokenVerifier({ keyOf: () => key.publicKey, feed: createMemoryRevocationFeed(store) });
  const { token } = await createTokenSigner({ key }).sign({ userId: 7n, sessionId: 70n, sessionVersion: 1 });
  const edge = await createHttpEdge({
    port: 0,
    verifier,
    validator: createRequestValidator(),
    logger: silentLogger,
    serveOther: () => false,
    ready: () => true,
    ...(corsOrigins && { corsOrigins }),
    services: [
      { service: AuthService, impl: { signIn: () => ({}) } },
      { service: UserService, impl: { getUsers: () => ({ users: [] }) } },
      { service: GroupService, impl: { createGroup: (_: unknown, context: HandlerContext) => createGroup?.(context) } },
    ],
  });
  return {
    url: `http://127.0.0.1:${edge.port}`,
    port: edge.port,
    token,
    raw: (bytes, until) => exchange(edge.port, bytes, until),
    async close() {
      await edge.close(0);
      verifier.close();
    },
  };
}

function exchange(port: number, bytes: string, until: RegExp): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      text += chunk;
      if (until.test(text)) {
        resolve(text);
        socket.destroy();
      }
    });
    socket.on("close", () => resolve(text));
    // A connection that is cut ends too.
    socket.on("error", () => undefined);
  });
}
