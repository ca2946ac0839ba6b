import type { Socket } from "node:net";
import { limits } from "@chappe/mesh/limits.ts";
import { lengthHeader, TcpFrames } from "@chappe/services/login/tcp/tcp-frames.ts";
import { openSocketTo, tcpWire } from "../support/transports/tcp-wire.ts";
import { type OpenWire, TransportClient } from "../support/transports/transport-client.ts";
import { type Attack, inLanes } from "./target.ts";

const framed = (frame: Uint8Array): Buffer => Buffer.concat([lengthHeader(frame.length), frame]);

/** What a client writes, by its name. */
const bombs: Readonly<Record<string, Buffer>> = {
  "frame over the limit": framed(Buffer.alloc(limits.maxFrameBytes + 1)),
  "length of 4 GiB": Buffer.from("ffffffff", "hex"),
  "30,000 empty packets": framed(Buffer.alloc(60_000, Buffer.from("0a00", "hex"))),
  "packet longer than its frame": framed(Buffer.from("0aff7f0000", "hex")),
  "groups in groups": framed(Buffer.alloc(60_000, 0x0b)),
  "too many frames": Buffer.concat(Array.from({ length: limits.frameBurstPerConnection + 500 }, () => lengthHeader(0))),
};
const names = Object.keys(bombs);
/** Slower than an address may connect: the bombs are to be met, not the connections. */
const pauseMs = 40;

/** Frames of an open socket; the attacker writes to the socket as it likes. */
const wireOn =
  (socket: Socket): OpenWire =>
  async ({ onFrame, onClosed }) => {
    const frames = new TcpFrames();
    const maxFrameBytes = 2 * limits.maxFrameBytes;
    socket.on("error", () => undefined);
    socket.on("data", (chunk) =>
      frames.push(chunk as Buffer, { maxFrameBytes, ended: false, onFrame, onFrameTooLarge: () => socket.destroy() }),
    );
    socket.on("close", () => onClosed());
    return {
      sendFrame: (frame) => void socket.write(framed(frame)),
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
      close: () => void socket.end(),
    };
  };

async function throwBeforeHello(port: number, name: string): Promise<string> {
  const client = await TransportClient.open(tcpWire(port, bombs[name]));
  return `closed ${await client.closed}`;
}

async function throwWelcomed(port: number, token: string, deviceId: bigint, name: string): Promise<string> {
  const socket = await openSocketTo(port);
  const client = await TransportClient.open(wireOn(socket));
  await client.signIn({ token, deviceId });
  socket.write(bombs[name]!);
  return `${name}: ${await client.closed}`;
}

/**
 * Frames that are made to cost much or to break the reader. One in three comes before Hello; the others come from
 * signed-in clients, which may send larger frames and are refused for what each bomb is.
 */
export const frameBombs: Attack = ({ tcp, token }, untilMs) => {
  let early = 0;
  let welcomed = 0;
  return inLanes(8, untilMs, {}, async () => {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    if (early * 2 <= welcomed) return throwBeforeHello(tcp, names[early++ % names.length]!);
    const number = welcomed++;
    return throwWelcomed(tcp, token, BigInt(number + 1), names[number % names.length]!);
  });
};
