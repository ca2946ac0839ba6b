import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callJson, registerUser } from "../support/http-user.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const auth = (name: string): string => `chappe.business.v1.AuthService/${name}`;
const listHeads = "chappe.business.v1.SyncService/ListHeads";

interface Signed {
  readonly tokens: { userId: string; accessToken: string; refreshToken: string };
}

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await registerUser(server.url, "dora");
});
afterAll(() => server.close());

const signIn = (password = "correct horse"): Promise<Signed> =>
  callJson(server.url, auth("SignIn"), { name: "dora", password });
const refresh = (refreshToken: string): Promise<Signed> => callJson(server.url, auth("Refresh"), { refreshToken });
const heads = (token?: string): Promise<object> => callJson(server.url, listHeads, {}, token);

describe("accounts", () => {
  it("sign in with the right password only", async () => {
    expect((await signIn()).tokens.userId).toMatch(/^\d+$/);
    await expect(signIn("wrong horse")).rejects.toMatchObject({ code: "unauthenticated", reason: "WRONG_CREDENTIALS" });
    await expect(callJson(server.url, auth("SignIn"), { name: "nobody", password: "x" })).rejects.toMatchObject({
      reason: "WRONG_CREDENTIALS",
    });
  });

  it("have unique names, and bad fields are named", async () => {
    await expect(registerUser(server.url, "dora")).rejects.toMatchObject({ code: "already_exists" });
    await expect(registerUser(server.url, "Not A Name")).rejects.toThrow(/name/);
    await expect(callJson(server.url, auth("Register"), { name: "fine", password: "short" })).rejects.toThrow(
      /password/,
    );
  });
});

describe("tokens", () => {
  it("that are missing, forged or of a foreign key are refused", async () => {
    await expect(heads()).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
    const { accessToken } = (await signIn()).tokens;
    const [header, payload] = accessToken.split(".");
    const { privateKey } = generateKeyPairSync("ed25519");
    const claims = JSON.parse(Buffer.from(payload!, "base64url").toString()) as Record<string, unknown>;
    const forged = await new SignJWT(claims)
      .setProtectedHeader(JSON.parse(Buffer.from(header!, "base64url").toString()))
      .sign(privateKey);
    await expect(heads(forged)).rejects.toMatchObject({ reason: "TOKEN_INVALID" });
    await expect(heads("a.b.c")).rejects.toMatchObject({ reason: "TOKEN_INVALID" });
    await expect(heads(accessToken)).resolves.toBeDefined();
  });

  it("are refreshed once; a reused refresh token ends the session", async () => {
    const first = (await signIn()).tokens;
    const second = (await refresh(first.refreshToken)).tokens;
    await expect(heads(second.accessToken)).resolves.toBeDefined();
    await expect(refresh(first.refreshToken)).rejects.toMatchObject({ reason: "SESSION_REVOKED" });
    await expect(heads(second.accessToken)).rejects.toMatchObject({ reason: "SESSION_REVOKED" });
    await expect(refresh(second.refreshToken)).rejects.toMatchObject({ reason: "SESSION_REVOKED" });
  });

  it("cannot be ended by an invented refresh token", async () => {
    const { accessToken, refreshToken } = (await signIn()).tokens;
    const [sessionId] = refreshToken.split(".");
    const invented = `${sessionId}.${"A".repeat(43)}.${"A".repeat(43)}`;
    await expect(refresh(invented)).rejects.toMatchObject({ reason: "TOKEN_INVALID" });
    await expect(heads(accessToken)).resolves.toBeDefined();
  });

  it("of every session end with sign-out everywhere, and stay ended after a restart", async () => {
    const one = (await signIn()).tokens;
    const two = (await signIn()).tokens;
    await callJson(server.url, auth("SignOut"), { everywhere: true }, one.accessToken);
    await expect(heads(two.accessToken)).rejects.toMatchObject({ reason: "SESSION_REVOKED" });
    await server.restart();
    await expect(heads(two.accessToken)).rejects.toMatchObject({ reason: "SESSION_REVOKED" });
    await expect(heads((await signIn()).tokens.accessToken)).resolves.toBeDefined();
  });
});

describe("the edge", () => {
  it("does not serve internal methods and refuses bodies that are too large", async () => {
    const { accessToken } = (await signIn()).tokens;
    await expect(
      callJson(server.url, "chappe.msg.v1.MessageService/AppendMembership", {}, accessToken),
    ).rejects.toMatchObject({ code: "unimplemented" });
    const response = await fetch(`${server.url}/chappe.push.v1.PushService/Publish`, { method: "POST", body: "{}" });
    expect(response.status).toBe(404);
    const large = callJson(server.url, auth("SignIn"), { name: "dora", password: "x".repeat(2 * 1024 * 1024) });
    await expect(large).rejects.toMatchObject({ code: "invalid_argument", reason: "FRAME_TOO_LARGE" });
  });
});
