import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { HelloRequestSchema, HelloResponseSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { type ErrorDetail, ErrorDetailSchema } from "@chappe/gen/proto/chappe/mesh/v1/error_pb.ts";
import { type Packet, PacketBatchSchema, PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";

/** A WebSocket client that shows every packet, for tests of the protocol itself. */
export interface SocketClient {
  /** Packets received and not taken yet. */
  readonly received: Packet[];
  /** Sends packets as one frame. */
  send(...packets: Partial<Omit<Packet, "$typeName" | "$unknown">>[]): void;
  /** Sends bytes as they are. */
  sendRaw(data: Uint8Array<ArrayBuffer> | string): void;
  /** Takes the first packet that fits, waiting for it. */
  take(fits: (packet: Packet) => boolean): Promise<Packet>;
  /** Settles with the close code. */
  readonly closed: Promise<number>;
  close(): void;
}

const waitMs = 10_000;

/** Opens a socket; nothing is sent yet. */
export async function openSocket(url: string): Promise<SocketClient> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/socket`);
  socket.binaryType = "arraybuffer";
  const received: Packet[] = [];
  const waiters = new Set<() => void>();
  socket.onmessage = ({ data }) => {
    received.push(...fromBinary(PacketBatchSchema, new Uint8Array(data as ArrayBuffer)).packets);
    for (const wake of [...waiters]) wake();
  };
  const closed = new Promise<number>((resolve) => {
    socket.onclose = ({ code }) => resolve(code);
  });
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("the socket did not open"));
  });
  const sendRaw = (data: Uint8Array<ArrayBuffer> | string): void => socket.send(data);
  return {
    received,
    sendRaw,
    closed,
    send: (...packets) => {
      const batch = create(PacketBatchSchema, { packets });
      sendRaw(new Uint8Array(toBinary(PacketBatchSchema, batch)));
    },
    async take(fits) {
      const deadline = AbortSignal.timeout(waitMs);
      for (;;) {
        const index = received.findIndex(fits);
        if (index >= 0) return received.splice(index, 1)[0]!;
        await new Promise<void>((resolve, reject) => {
          const wake = (): void => {
            waiters.delete(wake);
            resolve();
          };
          waiters.add(wake);
          deadline.addEventListener("abort", () => reject(new Error("no such packet came")), { once: true });
        });
      }
    },
    close: () => socket.close(),
  };
}

/** Opens a socket and says Hello. */
export async function openSession(url: string, token: string, deviceId: bigint): Promise<SocketClient> {
  const client = await openSocket(url);
  const payload = toBinary(HelloRequestSchema, create(HelloRequestSchema, { token, deviceId }));
  client.send({ kind: PacketKind.REQUEST, svid: 1, cmd: 1, id: 1, payload });
  const answer = await client.take((packet) => packet.id === 1);
  if (answer.kind !== PacketKind.RESPONSE) throw new Error(`Hello was refused: ${errorOf(answer).name}`);
  fromBinary(HelloResponseSchema, answer.payload);
  return client;
}

/** The error in an ERROR packet. */
export const errorOf = (packet: Packet): ErrorDetail => fromBinary(ErrorDetailSchema, packet.payload);

/** Takes the next event of this address. */
export async function takeEvent<Desc extends DescMessage>(
  client: SocketClient,
  schema: Desc,
  svid: number,
  cmd: number,
): Promise<MessageShape<Desc>> {
  const packet = await client.take((next) => next.kind === PacketKind.PUSH && next.svid === svid && next.cmd === cmd);
  return fromBinary(schema, packet.payload);
}
