import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import { HeartbeatRequestSchema, HelloRequestSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { loadSigningKey, type SigningKey } from "@chappe/mesh/auth/signing-key.ts";
import { createTokenSigner } from "@chappe/mesh/auth/token-signer.ts";
import { createSqliteBusinessStore } from "@chappe/mesh/engines/sqlite-business-store/create-sqlite-business-store.ts";
import { decodeJwt } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { expectServes } from "../support/good-message.ts";
import { callJson, type HttpUser, registerUser } from "../support/http-user.ts";
import { errorOf, openSession, openSocket, type SocketClient } from "../support/socket-client.ts";

const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_AUTH_ATTEMPT_BURST: "100000" };
const listHeads = "chappe.business.v1.SyncService/ListHeads";
const dataDir = mkdtempSync(join(tmpdir(), "chappe-tokens-"));

let server: ServerProcess;
let url: string;
let key: SigningKey;
let alice: HttpUser;
let bob: HttpUser;

/** The key that the server signs with; nobody else may have it, so it is read while the server is off. */
async function readSigningKey(): Promise<SigningKey> {
  const onFailed = (error: Error): void => {
    throw error;
  };
  const store = await createSqliteBusinessStore({ directory: dataDir, onFailed });
  const found = await loadSigningKey(store);
  await store.close();
  return found;
}

beforeAll(async () => {
  server = await startServer({ dataDir, env });
  const { port } = server;
  url = `http://127.0.0.1:${port}`;
  [alice, bob] = [await registerUser(url, "alice"), await registerUser(url, "bob")];
  await server.close();
  key = await readSigningKey();
  server = await startServer({ dataDir, env, port });
});
afterEach(() => expectServes(alice, bob));
afterAll(async () => {
  await server.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** A token of alice's session, as the server makes them, but for the key and the time. */
async function tokenOf({ signedBy = key, ttlMs = 60_000, agoMs = 0 } = {}): Promise<string> {
  const { sid, ver } = decodeJwt(alice.token);
  const claims = { userId: BigInt(alice.userId), sessionId: BigInt(sid as string), sessionVersion: ver as number };
  return (await createTokenSigner({ key: signedBy, ttlMs, now: () => Date.now() - agoMs }).sign(claims)).token;
}

const forged = (): Promise<string> => {
  const { privateKey } = generateKeyPairSync("ed25519");
  return tokenOf({ signedBy: { ...key, privateKey } });
};
const altered = (): string => {
  const [header, , signature] = alice.token.split(".");
  const claims = JSON.stringify({ ...decodeJwt(alice.token), sub: bob.userId });
  return `${header}.${Buffer.from(claims).toString("base64url")}.${signature}`;
};
const expired = (): Promise<string> => tokenOf({ agoMs: 3_600_000 });

const cases: [string, () => Promise<string> | string, string, number][] = [
  ["expired", expired, "TOKEN_EXPIRED", 4004],
  ["forged with another key", forged, "TOKEN_INVALID", 4003],
  ["altered to be somebody else's", altered, "TOKEN_INVALID", 4003],
  ["no token at all", () => "garbage", "TOKEN_INVALID", 4003],
];

async function ask(client: SocketClient, cmd: number, payload: Uint8Array): Promise<string> {
  client.send({ kind: PacketKind.REQUEST, svid: 1, cmd, id: 90, payload });
  const packet = await client.take(({ id }) => id === 90);
  return packet.kind === PacketKind.ERROR ? errorOf(packet).name : "RESPONSE";
}
const beat = (client: SocketClient, token: string): Promise<string> =>
  ask(client, 2, toBinary(HeartbeatRequestSchema, create(HeartbeatRequestSchema, { token })));

describe("a token that is", () => {
  it.each(cases)("%s: over HTTP", async (_name, make, reason) => {
    const refused = callJson(url, listHeads, {}, await make());
    await expect(refused).rejects.toMatchObject({ code: "unauthenticated", reason });
    await expect(alice.call(listHeads, {})).resolves.toBeDefined();
  });

  it.each(cases)("%s: on connect", async (_name, make, reason, closeCode) => {
    const client = await openSocket(url);
    const hello = create(HelloRequestSchema, { token: await make(), deviceId: 3n });
    expect(await ask(client, 1, toBinary(HelloRequestSchema, hello))).toBe(reason);
    expect(await client.closed).toBe(closeCode);
  });

  it.each(cases)("%s: brought by a heartbeat", async (_name, make, reason, closeCode) => {
    const [client, other] = [await openSession(url, alice.token, 4n), await openSession(url, bob.token, 5n)];
    expect(await beat(client, "")).toBe("RESPONSE");
    expect(await beat(client, await make())).toBe(reason);
    expect(await client.closed).toBe(closeCode);
    expect(await beat(other, "")).toBe("RESPONSE");
    other.close();
  });
});

it("a token that ends while the connection is up: the next heartbeat says so", async () => {
  const client = await openSession(url, await tokenOf({ ttlMs: 2_000 }), 6n);
  expect(await beat(client, "")).toBe("RESPONSE");
  const { exp } = decodeJwt(await tokenOf({ ttlMs: 2_000 }));
  await new Promise((resolve) => setTimeout(resolve, exp! * 1_000 - Date.now() + 50));
  expect(await beat(client, "")).toBe("TOKEN_EXPIRED");
  expect(await client.closed).toBe(4004);
});
