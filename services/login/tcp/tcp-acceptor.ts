import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { packetSize } from "@chappe/mesh/codec/packet.ts";
import { delimitedSize } from "@chappe/mesh/codec/wire-size.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { listenAlso } from "@chappe/mesh/lifecycle/listen-also.ts";
import { listenOn } from "@chappe/mesh/lifecycle/listen-on.ts";
import { createTrustedProxies, type TrustedProxies } from "@chappe/mesh/rpc/trusted-proxies.ts";
import { DelayedCall } from "../delayed-call.ts";
import type { LoginDoor } from "../login-door.ts";
import { errorPacket } from "../session-packets.ts";
import { createFrameWriter, type FrameWriter } from "../web-socket/frame-writer.ts";
import { type ProxyHeader, readProxyHeader } from "./proxy-header.ts";
import { lengthHeader } from "./tcp-frames.ts";
import { TcpTransport } from "./tcp-transport.ts";

/** What acceptTcp needs. */
export interface TcpAcceptorOptions {
  readonly login: LoginDoor;
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Other processes listen on the same port. @default false */
  readonly reusePort?: boolean;
  /** Further addresses with the same port. @default none */
  readonly extraHosts?: readonly string[];
  /** Proxies that must begin each connection with a PROXY protocol v2 header. @default none */
  readonly trustedProxies?: readonly string[];
}

/** A port that takes long connections. */
export interface TcpAcceptor {
  readonly port: number;
  /** Stops listening and cuts what is left; close Login before, which says farewell. */
  close(): Promise<void>;
}

/** Hands over the client's address and what came after the header, or cuts the connection. */
function readHeader(
  socket: Socket,
  { wheel, limits }: LoginDoor,
  onClient: (client: string, rest: Buffer) => void,
): void {
  let got: Buffer = Buffer.alloc(0);
  const cut = new DelayedCall(() => socket.destroy());
  wheel.schedule(cut, limits.helloTimeoutMs);
  const onClose = (): void => wheel.cancel(cut);
  const onData = (chunk: Buffer): void => {
    got = Buffer.concat([got, chunk]);
    const header: ProxyHeader | "more" | "bad" = readProxyHeader(got);
    if (header === "more") return;
    wheel.cancel(cut);
    socket.off("data", onData).off("close", onClose);
    if (header === "bad") socket.destroy();
    else onClient(header.address ?? socket.remoteAddress ?? "", got.subarray(header.bytes));
  };
  socket.on("data", onData).on("close", onClose);
}

/** Says why; reads on for a moment, because a reset would take the answer from the client. */
function refuse(socket: Socket, error: ChappeError, writer: FrameWriter, { wheel, limits }: LoginDoor): void {
  const packet = errorPacket(0, error);
  socket.resume().end(writer.frame(packet, undefined, delimitedSize(packetSize(packet))));
  const cut = new DelayedCall(() => socket.destroy());
  wheel.schedule(cut, limits.refusedLingerMs);
  socket.on("close", () => wheel.cancel(cut));
}

function createConnections(login: LoginDoor, proxies: TrustedProxies): (socket: Socket) => void {
  const writer = createFrameWriter({ header: lengthHeader, usesMemo: false });
  const open = (socket: Socket, client: string, rest: Buffer): void => {
    const ticket = login.admit(client);
    if (ticket instanceof ChappeError) {
      refuse(socket, ticket, writer, login);
      return;
    }
    const transport = new TcpTransport(socket, login, writer, ticket);
    if (rest.length > 0) transport.push(rest);
  };
  return (socket) => {
    socket.on("error", () => socket.destroy());
    const { remoteAddress } = socket;
    if (remoteAddress === undefined) socket.destroy();
    else if (proxies.has(remoteAddress)) readHeader(socket, login, (client, rest) => open(socket, client, rest));
    else open(socket, proxies.clientOf(remoteAddress, undefined), Buffer.alloc(0));
  };
}

/** Takes long connections over TCP. UNAVAILABLE names the port when it is in use. */
export async function acceptTcp(options: TcpAcceptorOptions): Promise<TcpAcceptor> {
  const { login, host = "127.0.0.1", reusePort = false, trustedProxies = [], extraHosts: hosts = [] } = options;
  const connect = createConnections(login, createTrustedProxies(trustedProxies));
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    connect(socket);
  });
  server.maxConnections = login.limits.maxConnections;
  await listenOn(server, { host, port: options.port, reusePort });
  const { port } = server.address() as AddressInfo;
  const closeFurther = await listenAlso(server, { hosts, port, reusePort }).catch((error: unknown) => {
    server.close();
    throw error;
  });
  return {
    port,
    async close() {
      const ended = Promise.all([new Promise((resolve) => server.close(resolve)), closeFurther()]);
      for (const socket of sockets) socket.destroy();
      await ended;
    },
  };
}
