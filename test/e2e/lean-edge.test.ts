import { create, toBinary } from "@bufbuild/protobuf";
import { SendFrameRequestSchema } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { decodePacketBatch, encodePacketBatch, type Packet } from "@chappe/mesh/codec/packet.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { type EdgeAnswer, type EdgePair, type EdgeRequest, type EdgeSide, startEdgePair } from "./lean-edge-pair.ts";
import { helloPacket, packetOf } from "./login-client.ts";
import { echo } from "./login-harness.ts";

let pair: EdgePair;
afterEach(() => pair.close());

const sides: readonly EdgeSide[] = ["lean", "adapter"];
const empty = new Uint8Array(0);
const keyBytes = 32;

/** How a protocol is spoken. */
interface Speech {
  readonly unaryType: string;
  readonly streamType: string;
  readonly timeout: readonly [name: string, good: string];
  /** Whether unary messages have an envelope. */
  readonly enveloped: boolean;
}

const speeches: Readonly<Record<string, Speech>> = {
  Connect: {
    unaryType: "application/proto",
    streamType: "application/connect+proto",
    timeout: ["connect-timeout-ms", "5000"],
    enveloped: false,
  },
  "gRPC-web": {
    unaryType: "application/grpc-web+proto",
    streamType: "application/grpc-web+proto",
    timeout: ["grpc-timeout", "5S"],
    enveloped: true,
  },
  "gRPC-web without a codec": {
    unaryType: "application/grpc-web",
    streamType: "application/grpc-web",
    timeout: ["grpc-timeout", "500m"],
    enveloped: true,
  },
};

interface Fields {
  readonly connectionKey: Uint8Array;
  readonly sequence?: bigint;
  readonly frame?: Uint8Array;
}

const messageOf = ({ connectionKey, sequence = 1n, frame = empty }: Fields): Uint8Array =>
  toBinary(SendFrameRequestSchema, create(SendFrameRequestSchema, { connectionKey, sequence, frame }));
const bytewise = (bytes: Uint8Array): Uint8Array[] => Array.from(bytes, (byte) => Uint8Array.of(byte));
const framesOf = (body: Buffer): Buffer[] => {
  const frames: Buffer[] = [];
  for (let at = 0; at + 5 <= body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (end > body.length) break;
    frames.push(body.subarray(at, end));
    at = end;
  }
  return frames;
};
const packetsOf = (body: Buffer): Packet[] =>
  framesOf(body)
    .filter((frame) => frame[0] === 0)
    .flatMap((frame) => decodePacketBatch(frame.subarray(5)));

/** A client of one side in one protocol. */
class Client {
  readonly side: EdgeSide;
  readonly speech: Speech;

  constructor(side: EdgeSide, speech: Speech) {
    this.side = side;
    this.speech = speech;
  }

  raw(more: Partial<EdgeRequest>): Promise<EdgeAnswer> {
    const headers = { "content-type": this.speech.unaryType, ...more.headers };
    return pair.send(this.side, { path: "SendFrame", pieces: [empty], ...more, headers }).whole;
  }

  message(message: Uint8Array, headers: Record<string, string> = {}): Promise<EdgeAnswer> {
    return this.raw({ headers, pieces: [this.bodyOf(message)] });
  }

  send(fields: Fields, headers: Record<string, string> = {}): Promise<EdgeAnswer> {
    return this.message(messageOf(fields), headers);
  }

  bodyOf(message: Uint8Array): Uint8Array {
    return this.speech.enveloped ? encodeEnvelope(0, message) : message;
  }

  listen(more: Partial<EdgeRequest> = {}) {
    const headers = { "content-type": this.speech.streamType, ...more.headers };
    return pair.send(this.side, { path: "Listen", pieces: [encodeEnvelope(0, empty)], ...more, headers });
  }

  /** A Listen stream and its key. */
  async open(headers: Record<string, string> = {}) {
    const stream = this.listen({ headers });
    await expect.poll(() => framesOf(stream.soFar()?.body ?? Buffer.alloc(0))).toHaveLength(1);
    const key = packetsOf(stream.soFar()!.body)[0]!.payload.slice(-keyBytes);
    const withoutKey = (answer: EdgeAnswer): EdgeAnswer => {
      const body = Buffer.from(answer.body);
      body.fill(0, body.indexOf(key), body.indexOf(key) + keyBytes);
      return { ...answer, body };
    };
    return { ...stream, key, soFar: () => withoutKey(stream.soFar()!), whole: stream.whole.then(withoutKey) };
  }
}

/** What a case does on one side; what it answers must be the same on both. */
type Deed = (client: Client) => Promise<unknown>;

async function expectSame(speech: Speech, deed: Deed): Promise<void> {
  const [lean, adapter] = await Promise.all(sides.map((side) => deed(new Client(side, speech))));
  expect(lean).toEqual(adapter);
}

const withKey =
  (then: (client: Client, key: Uint8Array) => Promise<unknown>): Deed =>
  async (client) => {
    const stream = await client.open();
    const answers = await then(client, stream.key);
    stream.destroy();
    return answers;
  };

const hello = async (userId = 1n): Promise<Uint8Array> =>
  encodePacketBatch([helloPacket(1, { token: await pair.token(userId) })]);

/** SendFrame as clients speak it: never left to the library. */
const plain: Readonly<Record<string, Deed>> = {
  "a frame": withKey(async (client, connectionKey) => client.send({ connectionKey, frame: await hello() })),
  "a frame that comes twice": withKey(async (client, connectionKey) => [
    await client.send({ connectionKey }),
    await client.send({ connectionKey }),
    await client.send({ connectionKey, sequence: 2n }),
  ]),
  "a frame of the largest size": withKey(async (client, connectionKey) =>
    client.send({ connectionKey, frame: new Uint8Array(limits.maxFrameBytes) }),
  ),
  "a body that comes in pieces": withKey(async (client, connectionKey) =>
    client.raw({ pieces: bytewise(client.bodyOf(messageOf({ connectionKey, frame: await hello() }))) }),
  ),
  "a deadline": withKey(async (client, connectionKey) => {
    const [name, good] = client.speech.timeout;
    return client.send({ connectionKey }, { [name]: good });
  }),
  "a deadline of zero": withKey(async (client, connectionKey) => {
    const [name, good] = client.speech.timeout;
    return client.send({ connectionKey }, { [name]: good.replace(/\d+/, "0") });
  }),
  "a version and encodings by their names": withKey(async (client, connectionKey) => {
    const headers = { "connect-protocol-version": "1", "content-encoding": "identity", "grpc-encoding": "identity" };
    return client.send({ connectionKey }, { ...headers, "accept-encoding": "gzip", "grpc-accept-encoding": "gzip" });
  }),
};

const withMessage = (change: (message: Uint8Array) => Uint8Array): Deed =>
  withKey((client, connectionKey) => client.message(change(messageOf({ connectionKey }))));
const withBody = (change: (message: Uint8Array, client: Client) => readonly Uint8Array[]): Deed =>
  withKey((client, connectionKey) => client.raw({ pieces: change(messageOf({ connectionKey }), client) }));
const withHeaders = (headers: Record<string, string>): Deed =>
  withKey((client, connectionKey) => client.send({ connectionKey }, headers));

const withJson = (wrap: (json: Uint8Array) => Uint8Array, type: string): Deed =>
  withKey((client, key) => {
    const json = Buffer.from(JSON.stringify({ connectionKey: Buffer.from(key).toString("base64"), sequence: "1" }));
    return client.raw({ headers: { "content-type": type }, pieces: [wrap(json)] });
  });

/** SendFrame as it should not be, or as few speak it. */
const odd: Readonly<Record<string, Deed>> = {
  "a key that is too short": (client) => client.send({ connectionKey: new Uint8Array(31) }),
  "a key that nobody has": (client) => client.send({ connectionKey: new Uint8Array(32) }),
  "sequence 0": withKey((client, connectionKey) => client.send({ connectionKey, sequence: 0n })),
  "a gap": withKey((client, connectionKey) => client.send({ connectionKey, sequence: 3n })),
  "a sequence of 64 bits": withKey((client, connectionKey) => client.send({ connectionKey, sequence: 2n ** 64n - 1n })),
  "two bad fields": (client) => client.send({ connectionKey: empty, sequence: 0n }),
  "a frame over the session's limit": withKey((client, connectionKey) =>
    client.send({ connectionKey, frame: new Uint8Array(limits.maxFrameBytes + 1) }),
  ),
  "a frame over the contract's limit": withKey((client, connectionKey) =>
    client.send({ connectionKey, frame: new Uint8Array(128 * 1024 + 1) }),
  ),
  "a message over the limit": withMessage(() => new Uint8Array(limits.maxSendFrameBytes + 1)),
  "a message over the limit in pieces": withBody((_, client) => {
    const body = client.bodyOf(new Uint8Array(limits.maxSendFrameBytes + 1));
    return [body.subarray(0, 10), body.subarray(10)];
  }),
  "no body": withBody(() => [empty]),
  "a truncated message": withMessage((message) => message.subarray(0, -1)),
  "an unknown field": withMessage((message) => Buffer.concat([message, Uint8Array.of(0x20, 1)])),
  "a known field of another type": withMessage((message) => Buffer.concat([message, Uint8Array.of(0x12, 1, 1)])),
  "two messages": withBody((message) => [encodeEnvelope(0, message), encodeEnvelope(0, message)]),
  "half an envelope": withBody((message) => [encodeEnvelope(0, message).subarray(0, -1)]),
  "bytes after the envelope": withBody((message) => [encodeEnvelope(0, message), Uint8Array.of(0)]),
  "a compressed envelope": withBody((message) => [encodeEnvelope(1, message)]),
  "an end of a stream": withBody((message) => [encodeEnvelope(0x80, message)]),
  "a compressed body": withHeaders({ "content-encoding": "gzip", "grpc-encoding": "gzip" }),
  "a deadline that is none": withHeaders({ "connect-timeout-ms": "soon", "grpc-timeout": "soon" }),
  JSON: withJson((json) => json, "application/json"),
  "gRPC-web JSON": withJson((json) => encodeEnvelope(0, json), "application/grpc-web+json"),
  "gRPC-web text": withHeaders({ "content-type": "application/grpc-web-text+proto" }),
  "a stream's content type": withHeaders({ "content-type": "application/connect+proto" }),
  "a content type in capitals": withHeaders({ "content-type": "application/PROTO" }),
  "no content type": withHeaders({ "content-type": "" }),
  "a query": (client) =>
    client.raw({ path: "SendFrame?connect=v1", pieces: [client.bodyOf(messageOf({ connectionKey: empty }))] }),
  GET: (client) => client.raw({ method: "GET", pieces: [empty] }),
  "an unknown method": (client) => client.raw({ path: "SendFrames" }),
};

describe.each(Object.entries(speeches))("SendFrame over %s", (_, speech) => {
  test("is answered byte by byte as the adapter does, without it", async () => {
    pair = await startEdgePair();
    for (const deed of Object.values(plain)) await expectSame(speech, deed);
    expect(pair.left()).toBe(0);
  });

  test("in another version gets the same answer, byte by byte", async () => {
    pair = await startEdgePair();
    await expectSame(speech, withHeaders({ "connect-protocol-version": "2" }));
  });

  test.each(Object.entries(odd))("%s gets the same answer, byte by byte", async (_name, deed) => {
    pair = await startEdgePair();
    await expectSame(speech, deed);
    expect(pair.left()).toBeGreaterThan(0);
  });
});

describe.each(Object.entries(speeches))("Listen over %s", (_, speech) => {
  test("ends with an error when no Hello comes, whatever the deadline of the call", async () => {
    pair = await startEdgePair({ limits: { helloTimeoutMs: 100 } });
    const [name] = speech.timeout;
    const timeout = name === "grpc-timeout" ? "1m" : "1";
    await expectSame(speech, async (client) => (await client.open({ [name]: timeout })).whole);
    expect(pair.left()).toBe(0);
    expect(pair.login.stats().closes.HELLO_TIMEOUT).toBe(2);
  });

  test("ends with the reason of a bad frame and of a bad token", async () => {
    pair = await startEdgePair();
    const hellos = [Uint8Array.of(0xff), encodePacketBatch([helloPacket(1, { token: "none" })])];
    for (const frame of hellos)
      await expectSame(speech, async (client) => {
        const { key, whole } = await client.open();
        return [await client.send({ connectionKey: key, frame }), await whole];
      });
    expect(pair.left()).toBe(0);
    expect(pair.login.stats().connections).toBe(0);
  });

  test("is refused when an address has too many connections", async () => {
    pair = await startEdgePair({ limits: { maxConnectionsPerAddress: 2 } });
    await Promise.all(sides.map((side) => new Client(side, speech).open()));
    await expectSame(speech, (client) => client.listen().whole);
    expect(pair.left()).toBe(0);
    expect(pair.login.stats().refused).toBe(2);
  });

  test("carries answers and pushes, alone and together, and an end that is large", async () => {
    pair = await startEdgePair();
    const open = await Promise.all(
      sides.map(async (side, i) => {
        const client = new Client(side, speech);
        const stream = await client.open();
        const send = async (sequence: bigint, frame: Uint8Array) =>
          client.send({ connectionKey: stream.key, sequence, frame });
        await send(1n, await hello(BigInt(i + 1)));
        await expect.poll(() => packetsOf(stream.soFar().body).length).toBe(2);
        const afterWelcome = stream.soFar().body.length;
        await send(2n, encodePacketBatch([packetOf({ ...echo, id: 9, payload: new Uint8Array(60_000).fill(7) })]));
        await expect.poll(() => packetsOf(stream.soFar().body).length).toBe(3);
        return { stream, afterWelcome };
      }),
    );
    const connections = (await pair.presence.lookup([1n, 2n])).flat();
    const connectionIds = connections.map(({ connectionId }) => connectionId);
    const push = { connectionIds, svid: 10, cmd: 101, payload: new Uint8Array(300).fill(5) };
    await pair.login.deliver([push]);
    await pair.login.deliver([push, { ...push, cmd: 102 }]);
    await pair.login.close();
    const [lean, adapter] = await Promise.all(
      open.map(async ({ stream, afterWelcome }) => (await stream.whole).body.subarray(afterWelcome)),
    );
    expect(packetsOf(lean!).length).toBe(1 + 3 + 1);
    expect(lean!.toString("hex")).toBe(adapter!.toString("hex"));
  });

  test("gives a client that reads late all that waited, in order, and then the end", async () => {
    const roomy = { slowClientDropBytes: 64 * 1024 * 1024, slowClientCloseBytes: 64 * 1024 * 1024 };
    pair = await startEdgePair({ limits: roomy });
    const client = new Client("lean", speech);
    const stream = await client.open();
    await client.send({ connectionKey: stream.key, frame: await hello() });
    await expect.poll(() => packetsOf(stream.soFar().body).length).toBe(2);
    const [{ connectionId } = { connectionId: 0n }] = (await pair.presence.lookup([1n])).flat();
    stream.pause();
    const pushes = 1_000;
    for (let i = 0; i < pushes; i++) {
      const payload = new Uint8Array(16 * 1024).fill(i);
      await pair.login.deliver([{ connectionIds: [connectionId], svid: 10, cmd: 101, payload }]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const closed = pair.login.close();
    stream.resume();
    const { body } = await stream.whole;
    await closed;
    const fills = packetsOf(body).flatMap(({ payload }) => (payload.length === 16 * 1024 ? [payload[9]] : []));
    expect(fills).toEqual(Array.from({ length: pushes }, (_ignored, i) => i % 256));
    expect(packetsOf(body).at(-1)).toMatchObject({ svid: 2, cmd: 1001 });
    expect(framesOf(body).at(-1)![0]).toBeGreaterThan(0);
  });

  test.each([
    ["no message", []],
    ["an unknown field", [encodeEnvelope(0, Uint8Array.of(0x08, 1))]],
    ["two messages", [encodeEnvelope(0, empty), encodeEnvelope(0, empty)]],
    ["half an envelope", [Uint8Array.of(0, 0)]],
    ["a compressed message", [encodeEnvelope(1, empty)]],
    ["a message over the limit", [encodeEnvelope(0, new Uint8Array(limits.maxSendFrameBytes + 1))]],
  ])("with %s gets the same answer, byte by byte", async (_name, pieces) => {
    pair = await startEdgePair({ limits: { helloTimeoutMs: 50 } });
    const withoutKey = ({ body, ...rest }: EdgeAnswer) => {
      const at = body.indexOf(Uint8Array.of(0x0a, keyBytes));
      return { ...rest, body: at < 0 ? body : Buffer.concat([body.subarray(0, at), body.subarray(at + 2 + keyBytes)]) };
    };
    await expectSame(speech, async (client) => withoutKey(await client.listen({ pieces: [...pieces, empty] }).whole));
    expect(pair.left()).toBe(1);
  });
});
