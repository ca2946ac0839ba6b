import { createHook } from "node:async_hooks";
import { AuthService } from "@chappe/gen/proto/chappe/business/v1/auth_service_pb.ts";
import { createMemoryRevocationFeed } from "@chappe/mesh/auth/revocation-feed.ts";
import { loadSigningKey } from "@chappe/mesh/auth/signing-key.ts";
import { createTokenSigner } from "@chappe/mesh/auth/token-signer.ts";
import { createMemoryBusinessStore } from "@chappe/mesh/engines/memory-stores/create-memory-business-store.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { clientAddressKey } from "@chappe/mesh/rpc/client-address.ts";
import { identityKey, publicIdentity } from "@chappe/mesh/rpc/identity.ts";
import { createContextValues, createHandlerContext, type HandlerContext } from "@connectrpc/connect";
import { beforeEach, describe, expect, it } from "vitest";
import { createAuth } from "./auth.ts";
import { createPasswordHasher } from "./password-hasher.ts";

const password = "correct horse";
let nowMs = 1_700_000_000_000;
let auth: ReturnType<typeof createAuth>;

/** A caller at an address, or user 7 over a long connection. */
function from(address: string): HandlerContext {
  const identity = address === "" ? { ...publicIdentity, kind: "user" as const, userId: 7n } : publicIdentity;
  const contextValues = createContextValues().set(clientAddressKey, address).set(identityKey, identity);
  const common = { protocolName: "test", requestMethod: "POST", url: "test:/" };
  return createHandlerContext({ service: AuthService, method: AuthService.method.signIn, contextValues, ...common });
}

const register = (name: string) =>
  auth.register({ $typeName: "chappe.business.v1.RegisterRequest", name, password, displayName: "" }, from("setup"));
const signIn = (name: string, secret = password, address = "10.0.0.1") =>
  auth.signIn({ $typeName: "chappe.business.v1.SignInRequest", name, password: secret }, from(address));
const refresh = (refreshToken: string, address = "10.0.0.1") =>
  auth.refresh({ $typeName: "chappe.business.v1.RefreshRequest", refreshToken }, from(address));

/** How a call ends: the name of its error, or "ok". */
async function outcome(call: Promise<unknown> | unknown): Promise<string> {
  try {
    await call;
    return "ok";
  } catch (error) {
    return ChappeError.from(error).row.name;
  }
}

async function errorOf(call: Promise<unknown> | unknown): Promise<ChappeError> {
  try {
    await call;
  } catch (error) {
    return ChappeError.from(error);
  }
  return expect.unreachable();
}

beforeEach(async () => {
  const store = createMemoryBusinessStore();
  auth = createAuth({
    store,
    signer: createTokenSigner({ key: await loadSigningKey(store) }),
    feed: createMemoryRevocationFeed(store),
    hasher: createPasswordHasher({ memoryKib: 8, passes: 1 }),
    refreshKey: new Uint8Array(32),
    now: () => nowMs,
  });
  await register("dora");
});

describe("attempts are limited", () => {
  it("to refresh, by the session of a good token, and say when to come back", async () => {
    let token = (await signIn("dora")).tokens!.refreshToken!;
    for (let i = 0; i < limits.attemptBurstPerName; i++)
      token = (await refresh(token, `10.1.0.${i}`)).tokens!.refreshToken!;
    const error = await errorOf(refresh(token, "10.2.0.1"));
    expect(error.row.name).toBe("RATE_LIMITED");
    expect(error.retryAfterMs).toBe(60_000 / limits.attemptsPerMinutePerName);
    nowMs += error.retryAfterMs;
    expect(await outcome(refresh(token, "10.2.0.1"))).toBe("ok");
  });

  it.each([["10.0.0.9"], [""]])("to refresh with bad tokens, by who sends them: %j", async (address) => {
    const bad = `1.${"A".repeat(43)}.${"A".repeat(43)}`;
    for (let i = 0; i < limits.attemptBurstPerAddress; i++)
      expect(await outcome(refresh(bad, address))).toBe("TOKEN_INVALID");
    expect(await outcome(refresh(bad, address))).toBe("RATE_LIMITED");
    expect(await outcome(refresh(bad, "10.0.0.10"))).toBe("TOKEN_INVALID");
  });

  it("to sign in, by name, whether or not there is such an account", async () => {
    for (const name of ["dora", "nobody"]) {
      for (let i = 0; i < limits.attemptBurstPerName; i++)
        expect(await outcome(signIn(name, "wrong horse", `10.3.0.${i}`))).toBe("WRONG_CREDENTIALS");
      expect(await outcome(signIn(name, "wrong horse", "10.4.0.1"))).toBe("RATE_LIMITED");
    }
  });
});

describe("signing in to an account that is not there", () => {
  it("gives the same error and runs the same hash as a wrong password", async () => {
    const jobs: string[] = [];
    const hook = createHook({ init: (_, type) => void (/argon2/i.test(type) && jobs.push(type)) }).enable();
    const tell = async (name: string) => {
      const { row, message, violations, retryAfterMs } = await errorOf(signIn(name, "wrong horse"));
      return { row, message, violations, retryAfterMs, jobs: jobs.splice(0) };
    };
    const wrong = await tell("dora");
    expect(wrong.jobs).toHaveLength(1);
    expect(await tell("nobody")).toEqual(wrong);
    hook.disable();
  });
});
