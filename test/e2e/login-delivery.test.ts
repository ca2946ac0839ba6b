import { setTimeout as sleep } from "node:timers/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { closeCodes } from "@chappe/gen/errors.ts";
import { ReportDeliveredRequestSchema } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { HeadHintSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { encodeDeliveryAck } from "@chappe/mesh/codec/delivery-ack.ts";
import { newGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import type { Call } from "@chappe/mesh/rpc/call.ts";
import type { Delivery } from "@chappe/mesh/rpc/delivery.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import { afterEach, describe, expect, test } from "vitest";
import { LoginClient, packetOf } from "./login-client.ts";
import { echo, type LoginHarness, reportDelivered, startLogin } from "./login-harness.ts";
import { SlowClient } from "./login-slow-client.ts";

const conversationId = newGroupId();
const message = (connectionIds: bigint[], lastSeq: number, payload = Uint8Array.of(lastSeq)): Delivery => ({
  connectionIds,
  svid: 20,
  cmd: 101,
  payload,
  conversationId,
  lastSeq,
});

describe("delivery", () => {
  let harness: LoginHarness;
  afterEach(() => harness.close());

  const signIn = async (userId: bigint) => {
    const client = new LoginClient(harness.url);
    const { connectionId } = await client.signIn({ token: await harness.token(userId) });
    return { client, connectionId };
  };
  const hints = (client: LoginClient) => client.pushes(101).filter((packet) => packet.svid === 1);
  const hintOf = async (client: LoginClient) => {
    const packet = await client.packet((p) => p.kind === PacketKind.PUSH && p.svid === 1 && p.cmd === 101);
    return fromBinary(HeadHintSchema, packet.payload);
  };
  const ack = (client: LoginClient, seq: number): void =>
    client.send(packetOf({ kind: PacketKind.ACK, payload: encodeDeliveryAck([{ conversationId, seq }]) }));
  const reports = (calls: readonly Call[]) =>
    calls
      .filter((call) => call.svid === reportDelivered.svid && call.cmd === reportDelivered.cmd)
      .map((call) => fromBinary(ReportDeliveredRequestSchema, call.payload).items);

  test("pushes and answers of one turn are one frame, in order", async () => {
    harness = await startLogin();
    const { client, connectionId } = await signIn(1n);
    const { connectionId: other } = await signIn(2n);
    const frames = client.frames.length;
    const gone = await harness.login.deliver([message([connectionId, other, 77n], 1), message([connectionId], 2)]);
    void harness.login.deliver([message([connectionId], 3)]);
    await client.packet((packet) => packet.payload[0] === 3);
    expect(gone).toEqual([77n]);
    expect(client.frames.slice(frames).map((frame) => frame.map((packet) => packet.payload[0]))).toEqual([[1, 2, 3]]);
    expect(harness.login.stats()).toMatchObject({ pushes: 5, pushesGone: 1 });
  });

  test("calls of one frame that settle in one turn, over several promises, are answered in one frame", async () => {
    harness = await startLogin();
    const { client } = await signIn(1n);
    harness.handle = async (call) => {
      for (let i = 0; i < call.payload[0]!; i++) await Promise.resolve();
      return call.payload;
    };
    const frames = client.frames.length;
    client.send(...[1, 5, 20, 3].map((depth) => packetOf({ ...echo, id: depth, payload: Uint8Array.of(depth) })));
    await client.packet((packet) => packet.id === 20);
    expect(client.frames.slice(frames).map((frame) => frame.map((packet) => packet.id))).toEqual([[1, 3, 5, 20]]);
  });

  test("a frame holds no more packets than a client must take", async () => {
    harness = await startLogin();
    const { client, connectionId } = await signIn(1n);
    await harness.login.deliver(Array.from({ length: 600 }, (_, i) => message([connectionId], i + 1)));
    await client.packet((packet) => packet.payload[0] === 600 % 256 && client.packets.length > 600);
    expect(client.frames.slice(1).map((frame) => frame.length)).toEqual([256, 256, 88]);
  });

  test("calls carry the caller, the affinity, the trace and a bounded deadline", async () => {
    harness = await startLogin();
    const { client, connectionId } = await signIn(1n);
    const affinity = Uint8Array.of(1, 2);
    const traceContext = Uint8Array.of(3);
    await client.call({ ...echo, affinity, traceContext, timeoutMs: 4_000_000 });
    const [call] = harness.calls;
    expect(call).toMatchObject({ ...echo, affinity, traceContext });
    expect(call!.identity).toEqual({
      kind: "user",
      userId: 1n,
      sessionId: 100n,
      deviceId: 1n,
      connection: { loginId: "login-a", connectionId },
    });
    expect(call!.deadlineMs).toBeLessThanOrEqual(Date.now() + 60_000);
  });

  test("an unacknowledged tail earns one hint and is named in heartbeats until acknowledged", async () => {
    let clockMs = 0;
    const wheel = new TimerWheel({ now: () => clockMs, automatic: false });
    harness = await startLogin({ wheel });
    const passMs = (ms: number): void => {
      clockMs += ms;
      wheel.advance();
    };
    const { client, connectionId } = await signIn(1n);
    const acked = await signIn(2n);
    void harness.login.deliver([message([connectionId, acked.connectionId], 7)]);
    await acked.client.packet((packet) => packet.cmd === 101);
    ack(acked.client, 7);
    await acked.client.beat();
    passMs(250);
    await client.beat();
    expect(hints(client)).toHaveLength(0);
    passMs(100);
    const hint = await hintOf(client);
    expect(hint.unacked.map(({ seq, conversationId: id }) => [seq, Buffer.from(id).equals(conversationId)])).toEqual([
      [7n, true],
    ]);
    expect((await client.beat()).unacked.map((head) => head.seq)).toEqual([7n]);
    passMs(10_000);
    await Promise.all([client.beat(), acked.client.beat()]);
    expect(hints(client)).toHaveLength(1);
    expect(hints(acked.client)).toHaveLength(0);
    ack(client, 7);
    expect((await client.beat()).unacked).toEqual([]);
  });

  test("acknowledgements are reported once, collapsed to the highest, as an internal call", async () => {
    harness = await startLogin({ limits: { receiptFlushMs: 60 } });
    const reported = new Promise<void>((resolve) => {
      harness.handle = async (call) => {
        if (call.cmd === reportDelivered.cmd) resolve();
        return call.payload;
      };
    });
    const { client } = await signIn(1n);
    for (const seq of [3, 9, 5]) ack(client, seq);
    await reported;
    expect(reports(harness.calls).map((items) => items.map((item) => [item.userId, item.seq]))).toEqual([[[1n, 9n]]]);
    expect(harness.calls[0]!.identity.kind).toBe("internal");
  });

  test("receipts that cannot be reported are dropped and the next ones go out", async () => {
    harness = await startLogin({ limits: { receiptFlushMs: 10 } });
    const { client } = await signIn(1n);
    const failed = new Promise<void>((resolve) => {
      harness.handle = async () => {
        resolve();
        throw new Error("down");
      };
    });
    ack(client, 1);
    await failed;
    const reported = new Promise<Call>((resolve) => {
      harness.handle = async (call) => {
        resolve(call);
        return call.payload;
      };
    });
    ack(client, 2);
    expect(fromBinary(ReportDeliveredRequestSchema, (await reported).payload).items[0]!.seq).toBe(2n);
    expect(harness.login.stats().receiptsDropped).toBe(1);
  });

  /** Pushes until the counter moves; the kernel's buffers take the first megabytes. */
  const pushUntil = async (moved: () => boolean, delivery: (seq: number) => Delivery): Promise<void> => {
    for (let seq = 1; !moved() && seq < 5_000; seq++) {
      await harness.login.deliver([delivery(seq)]);
      // A millisecond each: the age limit must have the time to pass while pushes go on.
      await sleep(1);
    }
    expect(moved()).toBe(true);
  };
  const bigBody = new Uint8Array(30_000);

  test("a client that does not read loses bodies, is hinted once when it reads again, and others are unhurt", async () => {
    harness = await startLogin({ limits: { tailHintMs: 60_000 } });
    const slow = await SlowClient.signIn(harness.port, await harness.token(1n));
    const { client, connectionId } = await signIn(2n);
    slow.pause();
    await pushUntil(
      () => harness.login.stats().pushesDropped > 5,
      (seq) => message([slow.connectionId], seq, bigBody),
    );
    void harness.login.deliver([message([connectionId, slow.connectionId], 1)]);
    await client.packet((packet) => packet.cmd === 101);
    slow.resume();
    const { unacked, compareHeads } = fromBinary(
      HeadHintSchema,
      (await slow.packet((packet) => packet.svid === 1 && packet.cmd === 101)).payload,
    );
    expect(compareHeads).toBe(true);
    expect(unacked).toHaveLength(1);
    expect((await slow.call(echo)).kind).toBe(PacketKind.RESPONSE);
    expect(slow.packets.filter((packet) => packet.svid === 1 && packet.cmd === 101)).toHaveLength(1);
  });

  test.each([
    ["too many bytes wait", { slowClientMaxAgeMs: 60_000 }, undefined],
    ["bytes wait too long", { slowClientMaxAgeMs: 100 }, conversationId],
  ])("a client that does not read is closed when %s", async (_name, limits, conversation) => {
    harness = await startLogin({ limits });
    const slow = await SlowClient.signIn(harness.port, await harness.token(1n));
    const { client } = await signIn(2n);
    slow.pause();
    await pushUntil(
      () => harness.login.stats().closes.SLOW_CLIENT === 1,
      (seq) => {
        // Without a conversation it is no message: its bytes are not dropped but counted.
        const { conversationId: _id, ...event } = message([slow.connectionId], seq, bigBody);
        return conversation === undefined ? event : { ...event, conversationId: conversation };
      },
    );
    expect((await harness.presence.lookup([1n]))[0]).toEqual([]);
    expect((await client.call(echo)).kind).toBe(PacketKind.RESPONSE);
    slow.resume();
    expect(await slow.closeCode).toBe(closeCodes.SLOW_CLIENT.code);
  });
});
