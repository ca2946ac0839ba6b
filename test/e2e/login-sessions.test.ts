import { fromBinary } from "@bufbuild/protobuf";
import { closeCodes } from "@chappe/gen/errors.ts";
import { DeviceClass, HelloResponseSchema, KickedSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import type { PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import { afterEach, describe, expect, test } from "vitest";
import { errorName, LoginClient } from "./login-client.ts";
import { echo, type LoginHarness, startLogin } from "./login-harness.ts";

describe("sessions", () => {
  let harness: LoginHarness;
  afterEach(() => harness.close());

  const client = (): LoginClient => new LoginClient(harness.url);
  const online = async (userId: bigint): Promise<number> => (await harness.presence.lookup([userId]))[0]!.length;
  const kickedCodes = (of: LoginClient): number[] =>
    of.pushes(102).map((packet) => fromBinary(KickedSchema, packet.payload).closeCode);

  test("the welcome comes after presence is registered, and names what the client needs", async () => {
    let confirm = (): void => undefined;
    const registered: PresenceEntry[] = [];
    harness = await startLogin({
      registry: {
        register(entry) {
          registered.push(entry);
          return new Promise((resolve) => {
            confirm = resolve;
          });
        },
        unregister: async () => {},
      },
    });
    const one = client();
    const answer = one.hello({ token: await harness.token(1n), deviceId: 9n });
    while (registered.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const [entry] = registered;
    // A push that comes between the two is kept, and follows the welcome.
    expect(
      await harness.login.deliver([
        { connectionIds: [entry!.connectionId], svid: 30, cmd: 101, payload: Uint8Array.of(1) },
      ]),
    ).toEqual([]);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(one.frames).toEqual([]);
    confirm();
    const welcome = fromBinary(HelloResponseSchema, (await answer).payload);
    expect(one.packets.map((packet) => packet.kind)).toEqual([PacketKind.RESPONSE, PacketKind.PUSH]);
    expect(entry).toEqual({
      userId: 1n,
      deviceId: 9n,
      loginId: "login-a",
      loginEpoch: 1,
      connectionId: welcome.connectionId,
    });
    expect(welcome).toMatchObject({ userId: 1n, heartbeatIntervalMs: 30_000, maxFrameBytes: 65_536, resumed: false });
  });

  test.each([
    ["no token", "", "UNAUTHENTICATED", "UNAUTHENTICATED"],
    ["a token that is none", "not.a.token", "TOKEN_INVALID", "UNAUTHENTICATED"],
  ] as const)("%s", async (_name, token, error, close) => {
    harness = await startLogin();
    const one = client();
    expect(errorName(await one.hello({ token }))).toBe(error);
    expect((await one.closed).code).toBe(closeCodes[close].code);
    expect(await online(1n)).toBe(0);
  });

  test("an expired token, a forged one, a revoked one", async () => {
    harness = await startLogin();
    const [header, , signature] = (await harness.token(1n)).split(".");
    const [, body] = (await harness.token(2n)).split(".");
    const attempts = [
      [await harness.token(1n, { ttlMs: -60_000 }), "TOKEN_EXPIRED", "TOKEN_EXPIRED"],
      [`${header}.${body}.${signature}`, "TOKEN_INVALID", "UNAUTHENTICATED"],
      [await harness.token(3n), "SESSION_REVOKED", "SESSION_REVOKED"],
    ] as const;
    harness.revoke(3n, 300n);
    for (const [token, error, close] of attempts) {
      const one = client();
      expect(errorName(await one.hello({ token }))).toBe(error);
      expect((await one.closed).code).toBe(closeCodes[close].code);
    }
  });

  test("a revocation closes the live connections of that session at once, with the reason", async () => {
    harness = await startLogin();
    const [revoked, other] = [client(), client()];
    await revoked.signIn({ token: await harness.token(1n, { sessionId: 101n }) });
    await other.signIn({ token: await harness.token(1n, { sessionId: 102n }) });
    harness.revoke(1n, 101n);
    expect((await revoked.closed).code).toBe(closeCodes.SESSION_REVOKED.code);
    expect(kickedCodes(revoked)).toEqual([closeCodes.SESSION_REVOKED.code]);
    expect((await other.call(echo)).kind).toBe(PacketKind.RESPONSE);
    expect(await online(1n)).toBe(1);
  });

  test("a heartbeat checks the token: expired and revoked ones end the connection", async () => {
    const ends: string[] = [];
    let failure: "TOKEN_EXPIRED" | "SESSION_REVOKED" | undefined;
    harness = await startLogin();
    const { verifier } = harness;
    const { check } = verifier;
    const { ChappeError } = await import("@chappe/mesh/errors/chappe-error.ts");
    verifier.check = (claims) => {
      if (failure !== undefined) throw new ChappeError(failure);
      check(claims);
    };
    for (const name of ["TOKEN_EXPIRED", "SESSION_REVOKED"] as const) {
      failure = undefined;
      const one = client();
      await one.signIn({ token: await harness.token(1n) });
      expect((await one.beat()).tokenExpiresTimeMs).toBeGreaterThan(BigInt(Date.now()));
      failure = name;
      expect(errorName(await one.heartbeat())).toBe(name);
      expect((await one.closed).code).toBe(closeCodes[name].code);
      ends.push(name);
    }
    failure = undefined;
    expect(ends).toHaveLength(2);
  });

  test("a heartbeat may bring a new token, of the same user only", async () => {
    harness = await startLogin();
    const one = client();
    const { tokenExpiresTimeMs } = await one.signIn({ token: await harness.token(1n) });
    const answer = await one.heartbeat(await harness.token(1n, { ttlMs: 7_200_000, sessionId: 150n }));
    expect(answer.kind).toBe(PacketKind.RESPONSE);
    expect((await one.beat()).tokenExpiresTimeMs).toBeGreaterThan(tokenExpiresTimeMs);
    await one.call(echo);
    expect(harness.calls.at(-1)!.identity.sessionId).toBe(150n);
    expect(errorName(await one.heartbeat(await harness.token(2n)))).toBe("UNAUTHENTICATED");
    expect((await one.closed).code).toBe(closeCodes.UNAUTHENTICATED.code);
  });

  test("a resume token saves the signature check, not the check for revocation", async () => {
    harness = await startLogin();
    const token = await harness.token(1n);
    const first = client();
    const { resumeToken } = await first.signIn({ token });
    expect(harness.verifier.verifications).toBe(1);
    const second = client();
    expect(await second.signIn({ token, resumeToken })).toMatchObject({ userId: 1n, resumed: true });
    expect(harness.verifier.verifications).toBe(1);
    const third = client();
    expect(await third.signIn({ token, resumeToken, deviceId: 2n })).toMatchObject({ resumed: false });
    expect(harness.verifier.verifications).toBe(2);
    harness.revoke(1n, 100n);
    const last = client();
    expect(errorName(await last.hello({ token, resumeToken }))).toBe("SESSION_REVOKED");
    expect((await last.closed).code).toBe(closeCodes.SESSION_REVOKED.code);
  });

  test("the ninth connection of a device replaces its oldest, other devices stay", async () => {
    harness = await startLogin();
    const token = await harness.token(1n);
    const other = client();
    await other.signIn({ token, deviceId: 2n });
    const tabs: LoginClient[] = [];
    for (let i = 0; i < 9; i++) {
      tabs.push(client());
      await tabs[i]!.signIn({ token, deviceId: 1n });
    }
    expect((await tabs[0]!.closed).code).toBe(closeCodes.REPLACED.code);
    expect(kickedCodes(tabs[0]!)).toEqual([closeCodes.REPLACED.code]);
    for (const one of [other, ...tabs.slice(1)]) expect((await one.call(echo)).kind).toBe(PacketKind.RESPONSE);
    expect(await online(1n)).toBe(9);
  });

  test("in a single class the newest device wins; its own tabs and other classes stay", async () => {
    harness = await startLogin({ singleDeviceClasses: [DeviceClass.MOBILE] });
    const token = await harness.token(1n);
    const [web, phone, phoneAgain, newPhone] = [client(), client(), client(), client()];
    await web.signIn({ token, deviceId: 1n });
    await phone.signIn({ token, deviceId: 2n, deviceClass: DeviceClass.MOBILE });
    await phoneAgain.signIn({ token, deviceId: 2n, deviceClass: DeviceClass.MOBILE });
    expect((await phone.call(echo)).kind).toBe(PacketKind.RESPONSE);
    await newPhone.signIn({ token, deviceId: 3n, deviceClass: DeviceClass.MOBILE });
    for (const old of [phone, phoneAgain]) expect((await old.closed).code).toBe(closeCodes.REPLACED.code);
    for (const kept of [web, newPhone]) expect((await kept.call(echo)).kind).toBe(PacketKind.RESPONSE);
  });

  test("presence goes with the connection, however it ends", async () => {
    harness = await startLogin();
    const one = client();
    await one.signIn({ token: await harness.token(1n) });
    expect(await online(1n)).toBe(1);
    const gone = new Promise<void>((resolve) => {
      harness.presence.watch(([change]) => (change?.online === false ? resolve() : undefined));
    });
    one.socket.close();
    await gone;
    expect(harness.login.stats().closes).toEqual({ CLIENT: 1 });
  });

  test("drain tells when to come back, refuses new connections, then closes with 1001", async () => {
    harness = await startLogin({ limits: { drainWindowMs: 100_000, drainReconnectSpreadMs: 500 } });
    const one = client();
    await one.signIn({ token: await harness.token(1n) });
    const abort = new AbortController();
    const drained = harness.login.drain({ signal: abort.signal });
    await one.packet((packet) => packet.kind === PacketKind.PUSH && packet.cmd === 103);
    await expect(client().opened).rejects.toThrow();
    expect((await one.call(echo)).kind).toBe(PacketKind.RESPONSE);
    abort.abort();
    await drained;
    expect((await one.closed).code).toBe(1001);
  });
});
