import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { createMemoryBusinessStore } from "../engines/memory-stores/create-memory-business-store.ts";
import type { BusinessStore } from "../ports/business-store.ts";
import { createTokenVerifier, type OwnedTokenVerifier } from "./create-token-verifier.ts";
import { createMemoryRevocationFeed } from "./revocation-feed.ts";
import { loadSigningKey, type SigningKey } from "./signing-key.ts";
import { createTokenSigner } from "./token-signer.ts";

const claims = { userId: 7n, sessionId: 70n, sessionVersion: 1 };
const startMs = 1_700_000_000_000;

let nowMs = startMs;
let key: SigningKey;
let store: BusinessStore;
let feed: ReturnType<typeof createMemoryRevocationFeed>;
let verifier: OwnedTokenVerifier;

const now = (): number => nowMs;
const newVerifier = (): OwnedTokenVerifier =>
  createTokenVerifier({ keyOf: (kid) => (kid === key.kid ? key.publicKey : undefined), feed, now });
const sign = (ttlMs = 3_600_000): Promise<string> =>
  createTokenSigner({ key, now, ttlMs })
    .sign(claims)
    .then(({ token }) => token);
const forge = (header: object, body: object = {}, privateKey = key.privateKey): Promise<string> =>
  new SignJWT({ sid: "70", ver: 1, iss: "chappe", aud: "chappe", sub: "7", nbf: nowMs / 1000, ...body })
    .setProtectedHeader({ alg: "EdDSA", kid: key.kid, typ: "at+jwt", ...header })
    .setExpirationTime(nowMs / 1000 + 3_600)
    .sign(privateKey);

beforeEach(async () => {
  nowMs = startMs;
  store = createMemoryBusinessStore();
  key = await loadSigningKey(store);
  const user = { userId: 7n, name: "ada", displayName: "Ada", passwordHash: "", sessionVersion: 1 };
  await store.insertUser(user);
  await store.insertSession({
    sessionId: 70n,
    userId: 7n,
    refreshHash: new Uint8Array(32),
    expiresTimeMs: 2 * startMs,
  });
  feed = createMemoryRevocationFeed(store);
  verifier = newVerifier();
});

describe("token verifier", () => {
  it("reads the claims of a token of ours", async () => {
    expect(await verifier.verify(await sign())).toEqual({ ...claims, expiresTimeMs: startMs + 3_600_000 });
    expect((await loadSigningKey(store)).kid).toBe(key.kid);
  });

  it.each([
    ["a foreign key under our kid", () => forge({}, {}, generateKeyPairSync("ed25519").privateKey)],
    ["an unknown kid", () => forge({ kid: "other" })],
    ["another issuer", () => forge({}, { iss: "evil" })],
    ["another audience", () => forge({}, { aud: "other" })],
    ["another type", () => forge({ typ: "JWT" })],
    ["nbf beyond the grace", () => forge({}, { nbf: startMs / 1000 + 61 })],
    ["an id that is not a number", () => forge({}, { sub: "7x" })],
    ["no token at all", () => Promise.resolve("rubbish")],
    ["alg none", async () => `${btoa('{"alg":"none"}')}.${(await sign()).split(".")[1]}.`],
  ])("refuses %s", async (_name, make) => {
    await expect(verifier.verify(await make())).rejects.toMatchObject({ row: { name: "TOKEN_INVALID" } });
  });

  it("refuses a token whose body was changed", async () => {
    const [header, body, signature] = (await sign()).split(".");
    const changed = Buffer.from(Buffer.from(body!, "base64url").toString().replace('"7"', '"8"')).toString("base64url");
    const token = `${header}.${changed}.${signature}`;
    await expect(verifier.verify(token)).rejects.toMatchObject({ row: { name: "TOKEN_INVALID" } });
  });

  it("takes nbf within the grace", async () => {
    expect((await verifier.verify(await forge({}, { nbf: startMs / 1000 + 59 }))).userId).toBe(7n);
  });

  it("gives exp no grace, cached or not", async () => {
    const token = await sign(10_000);
    const checked = await verifier.verify(token);
    nowMs += 10_000;
    await expect(verifier.verify(token)).rejects.toMatchObject({ row: { name: "TOKEN_EXPIRED" } });
    await expect(newVerifier().verify(token)).rejects.toMatchObject({ row: { name: "TOKEN_EXPIRED" } });
    expect(() => verifier.check(checked)).toThrow(
      expect.objectContaining({ row: expect.objectContaining({ name: "TOKEN_EXPIRED" }) }),
    );
  });
});

describe("revocation", () => {
  it("ends a session that is cached as good, and tells listeners", async () => {
    const token = await sign();
    await verifier.verify(token);
    const told: bigint[] = [];
    verifier.onRevoked(({ sessionId }) => told.push(sessionId));
    feed.publish({ userId: 7n, sessionId: 70n, minSessionVersion: 0 });
    await expect(verifier.verify(token)).rejects.toMatchObject({ row: { name: "SESSION_REVOKED" } });
    expect(told).toEqual([70n]);
  });

  it("ends every session of a lower version", async () => {
    const checked = await verifier.verify(await sign());
    feed.publish({ userId: 7n, sessionId: 0n, minSessionVersion: 2 });
    expect(() => verifier.check(checked)).toThrow("signed out");
  });

  it("remembers, after a restart, a session that was ended before", async () => {
    const token = await sign();
    await store.deleteSession(70n);
    await expect(newVerifier().verify(token)).rejects.toMatchObject({ row: { name: "SESSION_REVOKED" } });
  });

  it("remembers, after a restart, a version that was raised before", async () => {
    const token = await sign();
    await store.raiseSessionVersion(7n);
    await store.insertSession({
      sessionId: 70n,
      userId: 7n,
      refreshHash: new Uint8Array(32),
      expiresTimeMs: 2 * startMs,
    });
    await expect(newVerifier().verify(token)).rejects.toMatchObject({ row: { name: "SESSION_REVOKED" } });
  });

  it("sees a revocation that comes while the store is read", async () => {
    const racing = createTokenVerifier({
      keyOf: () => key.publicKey,
      now,
      feed: {
        subscribe: feed.subscribe,
        async state(userId, sessionId) {
          const state = await feed.state(userId, sessionId);
          feed.publish({ userId, sessionId, minSessionVersion: 0 });
          return state;
        },
      },
    });
    await expect(racing.verify(await sign())).rejects.toMatchObject({ row: { name: "SESSION_REVOKED" } });
  });
});
