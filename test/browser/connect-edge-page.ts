/**
 * Runs in a browser's page: what an application does with connect-web and contracts of its own, without the SDK. Answers
 * are read by the test, so they are values for JSON.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { AuthService } from "@chappe/gen/proto/chappe/business/v1/auth_service_pb.ts";
import { UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { EdgeService, ListeningSchema } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { HelloRequestSchema, HelloResponseSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { ErrorDetailSchema } from "@chappe/gen/proto/chappe/mesh/v1/error_pb.ts";
import { type Packet, PacketBatchSchema, PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";

/** Protocols that a page can speak. */
export type PageProtocol = "Connect" | "Connect JSON" | "gRPC-web";

/** What the page saw of one refused call. */
export interface PageError {
  readonly code: string;
  readonly name: string | undefined;
}

/** What the page offers to the test, as `globalThis.edge`. */
export interface EdgePage {
  /** Registers and asks for this user; answers whether the ids are the same. */
  unary(protocol: PageProtocol, name: string): Promise<{ readonly token: string; readonly same: boolean }>;
  /** Asks without a token. */
  refused(protocol: PageProtocol): Promise<PageError>;
  /** A session: Listen, Hello by SendFrame, then so many calls, answered down the stream. */
  stream(protocol: PageProtocol, token: string, calls: number): Promise<{ readonly answered: number }>;
  /** A session whose Hello has no good token: what comes down, and how the stream ends. */
  refusedStream(protocol: PageProtocol): Promise<{ readonly errors: readonly string[]; readonly end: PageError }>;
}

function transportOf(protocol: PageProtocol): Transport {
  const baseUrl = location.origin;
  if (protocol === "gRPC-web") return createGrpcWebTransport({ baseUrl });
  return createConnectTransport({ baseUrl, useBinaryFormat: protocol === "Connect" });
}

async function errorOf(call: Promise<unknown>): Promise<PageError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => ConnectError.from(reason),
  );
  if (error === undefined) return { code: "none", name: undefined };
  return { code: Code[error.code], name: error.findDetails(ErrorDetailSchema)[0]?.name };
}

/** One session over Listen and SendFrame. */
async function openStream(protocol: PageProtocol, token: string) {
  const abort = new AbortController();
  const client = createClient(EdgeService, transportOf(protocol));
  const batches = client.listen({}, { signal: abort.signal })[Symbol.asyncIterator]();
  const first = await batches.next();
  if (first.done === true) throw new Error("the stream ended at once");
  const { connectionKey } = fromBinary(ListeningSchema, first.value.packets[0]!.payload);
  let sequence = 0n;
  const send = async (packets: readonly Pick<Packet, "svid" | "cmd" | "id" | "payload">[]): Promise<void> => {
    const requests = packets.map((packet) => ({ kind: PacketKind.REQUEST, ...packet }));
    const frame = toBinary(PacketBatchSchema, create(PacketBatchSchema, { packets: requests }));
    await client.sendFrame({ connectionKey, sequence: ++sequence, frame });
  };
  const read = async (): Promise<Packet[] | undefined> => {
    const { done, value } = await batches.next();
    return done === true ? undefined : value.packets;
  };
  const payload = toBinary(HelloRequestSchema, create(HelloRequestSchema, { token, deviceId: 5n }));
  await send([{ svid: 1, cmd: 1, id: 1, payload }]);
  return { send, read, abort };
}

const edge: EdgePage = {
  async unary(protocol, name) {
    const transport = transportOf(protocol);
    const { tokens } = await createClient(AuthService, transport).register({ name, password: "correct horse" });
    const headers = { authorization: `Bearer ${tokens!.accessToken}` };
    const { users } = await createClient(UserService, transport).getUsers({ names: [name] }, { headers });
    return { token: tokens!.accessToken, same: users[0]?.userId === tokens!.userId };
  },
  refused: (protocol) => errorOf(createClient(UserService, transportOf(protocol)).getUsers({ names: ["nobody"] })),
  async stream(protocol, token, calls) {
    const { send, read, abort } = await openStream(protocol, token);
    const welcome = (await read())![0]!;
    if (welcome.kind !== PacketKind.RESPONSE) throw new Error("Hello was refused");
    fromBinary(HelloResponseSchema, welcome.payload);
    const answered = new Set<number>();
    // Heartbeats: in frames of their own, so that the stream is written to again and again.
    for (let id = 100; id < 100 + calls; id++) {
      await send([{ svid: 1, cmd: 2, id, payload: new Uint8Array(0) }]);
      for (const packet of (await read()) ?? []) if (packet.kind === PacketKind.RESPONSE) answered.add(packet.id);
    }
    abort.abort();
    return { answered: answered.size };
  },
  async refusedStream(protocol) {
    const { read } = await openStream(protocol, "ey.bad.one");
    const errors: string[] = [];
    const end = await errorOf(
      (async () => {
        for (let packets = await read(); packets !== undefined; packets = await read())
          errors.push(...packets.map((packet) => fromBinary(ErrorDetailSchema, packet.payload).name));
      })(),
    );
    return { errors, end };
  },
};
Object.assign(globalThis, { edge });
