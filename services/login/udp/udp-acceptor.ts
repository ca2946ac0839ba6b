import { createSocket, type RemoteInfo } from "node:dgram";
import { isIPv6 } from "node:net";
import type { OpenUdpResponse } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { encodePacketBatch } from "@chappe/mesh/codec/packet.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { TokenClaims } from "@chappe/mesh/rpc/token-verifier.ts";
import type { LoginDoor } from "../login-door.ts";
import { errorPacket } from "../session-packets.ts";
import { createFrameWriter } from "../web-socket/frame-writer.ts";
import { createCookies } from "./cookies.ts";
import { cookieBytes, datagramTypes, initBytes, openDatagram, sealDatagram, ticketOf } from "./datagrams.ts";
import { soleChunk } from "./reliable-channel.ts";
import { createUdpTickets } from "./udp-tickets.ts";
import { type UdpPath, UdpTransport } from "./udp-transport.ts";

/** What acceptUdp needs. */
export interface UdpAcceptorOptions {
  readonly login: LoginDoor;
  /** Address to listen on. @default "127.0.0.1" */
  readonly host?: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Other processes listen on the same port. @default false */
  readonly reusePort?: boolean;
  /** What clients are told to send to. @default "": the host that gave the ticket */
  readonly publicHost?: string;
}

/** A port that takes sessions over datagrams. */
export interface UdpAcceptor {
  readonly port: number;
  /** Gives a checked user the key of one session; for EdgeService.OpenUdp. */
  openUdp(claims: TokenClaims): Omit<OpenUdpResponse, "$typeName" | "$unknown">;
  /** Stops; close Login before, which says farewell. */
  close(): Promise<void>;
}

/** Handles datagrams; until a cookie has come back nothing is remembered and no answer is larger than its question. */
function createDatagrams(login: LoginDoor, send: (datagram: Buffer, to: UdpPath) => void) {
  const cookies = createCookies();
  const tickets = createUdpTickets(login);
  const transports = new Map<string, UdpTransport>();
  const writer = createFrameWriter({ header: () => Buffer.alloc(0), usesMemo: false });

  const open = (id: string, datagram: Buffer, from: RemoteInfo): void => {
    const found = tickets.find(id);
    if (found === undefined || openDatagram(found.key, "up", datagram) === undefined) return;
    // Used, also when it is refused: no counter is used twice under its key.
    tickets.remove(id);
    const { id: ticketId, key } = found;
    const ticket = login.admit(from.address);
    if (ticket instanceof ChappeError) {
      const refusal = soleChunk(encodePacketBatch([errorPacket(0, ticket)]));
      send(sealDatagram(key, "down", ticketId, 0n, refusal), from);
      return;
    }
    const onClosed = (): void => void transports.delete(id);
    const transport = new UdpTransport({ door: login, ticket, writer, ticketId, key, path: from, send, onClosed });
    transports.set(id, transport);
    transport.receive(datagram, from);
  };
  const onOpen = (datagram: Buffer, from: RemoteInfo): void => {
    const cookie = datagram.subarray(1, 1 + cookieBytes);
    const inner = datagram.subarray(1 + cookieBytes);
    const id = ticketOf(inner);
    if (id === undefined || !cookies.isGood(cookie, from.address, from.port)) return;
    const transport = transports.get(id);
    if (transport === undefined) open(id, inner, from);
    else transport.receive(inner, from);
  };
  const onDatagram = (datagram: Buffer, from: RemoteInfo): void => {
    const type = datagram[0];
    if (type === datagramTypes.data) transports.get(ticketOf(datagram) ?? "")?.receive(datagram, from);
    else if (type === datagramTypes.open) onOpen(datagram, from);
    else if (type === datagramTypes.init && datagram.length >= initBytes)
      send(Buffer.concat([Buffer.of(datagramTypes.cookie), cookies.make(from.address, from.port)]), from);
  };
  return { tickets, onDatagram };
}

/** Takes long connections over UDP. UNAVAILABLE names the port when it is in use. */
export async function acceptUdp(options: UdpAcceptorOptions): Promise<UdpAcceptor> {
  const { login, host = "127.0.0.1", port, reusePort = false, publicHost = "" } = options;
  const { limits } = login;
  const socket = createSocket({ type: isIPv6(host) ? "udp6" : "udp4", reusePort });
  let isOpen = true;
  const { tickets, onDatagram } = createDatagrams(login, (datagram, { port: to, address }) => {
    // Lost datagrams are sent again; an address that refuses them is one where they are lost.
    if (isOpen) socket.send(datagram, to, address, () => undefined);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? `UDP port ${port} of ${host} is in use` : `cannot bind ${host}:${port}`;
      reject(new ChappeError("UNAVAILABLE", why, { cause }));
    });
    socket.bind(port, host, resolve);
  });
  socket.removeAllListeners("error").on("error", () => undefined);
  socket.on("message", (datagram, from) => {
    if (datagram.length <= limits.maxUdpDatagramBytes) onDatagram(datagram, from);
  });
  const bound = socket.address().port;
  return {
    port: bound,
    openUdp({ userId }) {
      const { id, key } = tickets.give(userId);
      const ttl = { ticketTtlMs: limits.udpTicketTtlMs };
      return { ticketId: Uint8Array.from(id), key: Uint8Array.from(key), host: publicHost, port: bound, ...ttl };
    },
    close: () =>
      new Promise((resolve) => {
        isOpen = false;
        socket.close(() => resolve());
      }),
  };
}
