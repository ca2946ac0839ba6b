import { Server, ServerCredentials } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";
import { type Call, noBytes, type Router } from "../rpc/call.ts";
import { internalIdentity } from "../rpc/identity.ts";
import { TimerWheel } from "../timers/timer-wheel.ts";
import { createLinkDialer, type LinkDialer } from "./create-link-dialer.ts";
import { createLinkRouter } from "./create-link-router.ts";
import { type LinkServer, serveLinks } from "./create-link-server.ts";
import type { Link } from "./link.ts";
import { linkChannelOptions } from "./link-wire.ts";

const secret = Buffer.from("0123456789abcdef0123456789abcdef");
const callOf = (fields: Partial<Call> = {}): Call => ({
  svid: 7,
  cmd: 1,
  payload: noBytes,
  identity: internalIdentity,
  affinity: noBytes,
  deadlineMs: Date.now() + 5_000,
  traceContext: noBytes,
  ...fields,
});
const nameOf = (error: unknown): string | undefined => (error instanceof ChappeError ? error.row.name : undefined);
const refusal = async (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => "answered",
    (error: unknown) => nameOf(error),
  );

describe("Link", () => {
  const wheel = new TimerWheel();
  let server: Server;
  let serving: LinkServer;
  let dialer: LinkDialer;
  let port: number;
  let taken: Call[];
  let answer: (call: Call) => Promise<Uint8Array>;
  let opened: ((link: Link) => void) | undefined;

  const listen = async (atPort: number, instanceId = "route-1"): Promise<void> => {
    server = new Server(linkChannelOptions);
    serving = serveLinks({
      server,
      self: { instanceId, svids: [] },
      secret,
      handler: {
        call(call) {
          taken.push(call);
          return answer(call);
        },
      },
      onLink: (link) => opened?.(link),
      wheel,
    });
    port = await new Promise((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${atPort}`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
  };
  const dial = (
    handler: Router = { call: async ({ payload }) => payload },
    withSecret: Uint8Array = secret,
  ): LinkDialer =>
    createLinkDialer({ self: { instanceId: "login-1", svids: [3] }, secret: withSecret, handler, wheel });

  beforeEach(async () => {
    taken = [];
    answer = async ({ payload }) => payload;
    opened = undefined;
    await listen(0);
    dialer = dial();
    dialer.setAddresses([`127.0.0.1:${port}`]);
  });
  afterEach(() => {
    dialer.close();
    serving.close();
    server.forceShutdown();
  });

  test("calls go both ways, with all that a call carries", async () => {
    const other = new Promise<Link>((resolve) => {
      opened = resolve;
    });
    await dialer.whenOpen({ timeoutMs: 5_000 });
    const identity = {
      kind: "user" as const,
      userId: 5n,
      sessionId: 6n,
      deviceId: 7n,
      connection: { loginId: "login-1", connectionId: 9n },
    };
    const traceContext = Buffer.from("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    const call = callOf({ identity, traceContext, affinity: Uint8Array.of(1, 2), target: "x", clientAddress: "::1" });
    expect(await dialer.links[0]!.call({ ...call, payload: Uint8Array.of(1) })).toEqual(Uint8Array.of(1));
    const { deadlineMs, payload, ...seen } = taken[0]!;
    const { deadlineMs: sentDeadlineMs, payload: _, ...sent } = call;
    expect({ ...seen, affinity: Uint8Array.from(seen.affinity), traceContext: Buffer.from(seen.traceContext) }).toEqual(
      sent,
    );
    expect(payload).toHaveLength(1);
    expect(Math.abs(deadlineMs - sentDeadlineMs)).toBeLessThan(1_000);
    expect((await other).peer).toMatchObject({ instanceId: "login-1", svids: [3] });
    expect(Uint8Array.from(await (await other).call(callOf({ payload: Uint8Array.of(2) })))).toEqual(Uint8Array.of(2));
  });

  test("thousands of calls of one turn are answered, in order, in few frames", async () => {
    await dialer.whenOpen({ timeoutMs: 5_000 });
    const link = dialer.links[0]!;
    const answers = await Promise.all(
      Array.from({ length: 5_000 }, (_, i) => link.call(callOf({ payload: Uint8Array.of(i & 0xff, i >> 8) }))),
    );
    expect(answers.map((bytes) => bytes[0]! | (bytes[1]! << 8))).toEqual(Array.from({ length: 5_000 }, (_, i) => i));
    expect(taken.map(({ payload }) => payload[0]! | (payload[1]! << 8))).toEqual(
      Array.from({ length: 5_000 }, (_, i) => i),
    );
    expect(link.stats()).toMatchObject({ callsInFlight: 0, packetsOut: 5_000, packetsIn: 5_000, waitingBytes: 0 });
    expect(link.stats().framesOut).toBeLessThan(100);
  });

  test("errors arrive as they were, deadlines and aborts end a call", async () => {
    await dialer.whenOpen({ timeoutMs: 5_000 });
    const link = dialer.links[0]!;
    answer = () => Promise.reject(new ChappeError("NOT_A_MEMBER"));
    expect(await refusal(link.call(callOf()))).toBe("NOT_A_MEMBER");
    answer = () => {
      throw new Error("a bug");
    };
    expect(await refusal(link.call(callOf()))).toBe("INTERNAL");
    answer = () => new Promise(() => undefined);
    expect(await refusal(link.call(callOf({ deadlineMs: Date.now() - 1 })))).toBe("DEADLINE_EXCEEDED");
    expect(await refusal(link.call(callOf({ deadlineMs: Date.now() + 300 })))).toBe("DEADLINE_EXCEEDED");
    const abort = new AbortController();
    const waiting = refusal(link.call(callOf({ signal: abort.signal })));
    abort.abort();
    expect(await waiting).toBe("CANCELLED");
    expect(link.stats().callsInFlight).toBe(0);
  });

  test("calls beyond the credit are refused at once and taken again later", async () => {
    await dialer.whenOpen({ timeoutMs: 5_000 });
    const link = dialer.links[0]!;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    answer = async () => {
      await released;
      return noBytes;
    };
    const calls = Array.from({ length: limits.maxLinkCallsInFlight }, () => link.call(callOf()));
    expect(await refusal(link.call(callOf()))).toBe("OVERLOADED");
    release();
    await Promise.all(calls);
    expect(await refusal(link.call(callOf()))).toBe("answered");
  });

  test("a link that ends refuses what is in flight and is dialled again", async () => {
    await dialer.whenOpen({ timeoutMs: 5_000 });
    answer = () => new Promise(() => undefined);
    const waiting = refusal(dialer.links[0]!.call(callOf()));
    const again = new Promise<void>((resolve) => {
      opened = () => resolve();
    });
    await expect.poll(() => taken.length).toBe(1);
    for (const link of serving.links) link.close();
    expect(await waiting).toBe("UNAVAILABLE");
    await again;
    await dialer.whenOpen({ timeoutMs: 5_000 });
    answer = async ({ payload }) => payload;
    expect(await refusal(createLinkRouter(dialer).call(callOf()))).toBe("answered");
  });

  test("a process that is going away gets no new calls from a router and answers those in hand", async () => {
    await dialer.whenOpen({ timeoutMs: 5_000 });
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    answer = async () => {
      await released;
      return noBytes;
    };
    const waiting = refusal(createLinkRouter(dialer).call(callOf()));
    await expect.poll(() => taken.length).toBe(1);
    serving.goAway();
    await expect.poll(() => dialer.links.length).toBe(0);
    expect(await refusal(createLinkRouter(dialer).call(callOf()))).toBe("UNAVAILABLE");
    release();
    expect(await waiting).toBe("answered");
  });

  test("neither end takes one that does not know the secret", async () => {
    const stranger = dial(undefined, Buffer.from("another secret, as long as the 1st"));
    stranger.setAddresses([`127.0.0.1:${port}`]);
    await expect(stranger.whenOpen({ timeoutMs: 500 })).rejects.toSatisfy((error) => nameOf(error) === "UNAVAILABLE");
    expect([...serving.links].filter(({ peer }) => peer.instanceId !== "login-1")).toEqual([]);
    stranger.close();
  });

  test("a silent other end is given up", async () => {
    let clockMs = 0;
    const hand = new TimerWheel({ now: () => clockMs, automatic: false });
    const patient = createLinkDialer({
      self: { instanceId: "login-2", svids: [] },
      secret,
      handler: { call: async () => noBytes },
      wheel: hand,
    });
    patient.setAddresses([`127.0.0.1:${port}`]);
    await patient.whenOpen({ timeoutMs: 5_000 });
    const link = patient.links[0]!;
    clockMs += limits.linkSilenceMs + 2 * limits.linkTickMs;
    hand.advance();
    await link.closed;
    patient.close();
    hand.close();
  });
});
