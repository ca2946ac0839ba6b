import { createSocket, type Socket } from "node:dgram";
import type { OpenUdpResponse } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import { datagramTypes, initBytes, openDatagram, sealDatagram } from "@chappe/services/login/udp/datagrams.ts";
import { chunkFlags, ReliableChannel } from "@chappe/services/login/udp/reliable-channel.ts";
import { edgeClient } from "./connect-wire.ts";
import type { ClientWire, OpenWire, WireEvents } from "./transport-client.ts";

/** Gets the key of a session over UDP. */
export function openTicket(httpPort: number, token: string): Promise<OpenUdpResponse> {
  return edgeClient(httpPort).openUdp({}, { headers: { authorization: `Bearer ${token}` } });
}

/** What a test may do to datagrams on their way. */
export interface UdpTaps {
  /** False = the datagram to the server is lost. */
  readonly onOut?: (datagram: Buffer) => boolean;
  /** False = the datagram from the server is lost. */
  readonly onIn?: (datagram: Buffer) => boolean;
  /** Tells the function that moves the client to another port. */
  readonly onMove?: (move: () => Promise<void>) => void;
}

/** A datagram socket on this machine. */
export function openUdpSocket(): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1", () => resolve(socket));
  });
}

/** Asks for a cookie. */
export async function askCookie(socket: Socket, port: number): Promise<Buffer> {
  const init = Buffer.alloc(initBytes);
  init[0] = datagramTypes.init;
  const answer = new Promise<Buffer>((resolve) => socket.once("message", resolve));
  socket.send(init, port, "127.0.0.1");
  return (await answer).subarray(1);
}

/** Frames over sealed datagrams. */
class UdpWire implements ClientWire {
  readonly #ticket: OpenUdpResponse;
  readonly #taps: UdpTaps;
  readonly #events: WireEvents;
  readonly #cookie: Buffer;
  readonly #wheel = new TimerWheel();
  readonly #channel: ReliableChannel;
  #socket: Socket;
  #counter = 0n;
  #isOpen = false;
  #isPaused = false;
  #isClosed = false;
  #sending = 0;
  #pieces: Buffer[] = [];

  constructor(ticket: OpenUdpResponse, taps: UdpTaps, events: WireEvents, socket: Socket, cookie: Buffer) {
    this.#ticket = ticket;
    this.#taps = taps;
    this.#events = events;
    this.#cookie = cookie;
    this.#socket = socket.on("message", (datagram) => this.#onDatagram(datagram));
    this.#channel = new ReliableChannel({
      wheel: this.#wheel,
      transmit: (plaintext) => this.#transmit(plaintext),
      onChunk: (flags, data) => this.#onChunk(flags, data),
      onDrained: () => undefined,
      onLost: () => this.#finish(),
    });
    taps.onMove?.(async () => {
      const older = this.#socket;
      this.#socket = (await openUdpSocket()).on("message", (datagram) => this.#onDatagram(datagram));
      older.close();
    });
    // Opens the session before there is anything to say: an acknowledgement of nothing.
    this.#transmit(Buffer.alloc(8));
  }

  sendFrame(frame: Uint8Array): void {
    this.#channel.sendFrame(frame);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#channel.sendFrame(new Uint8Array(0), chunkFlags.close);
    this.#finish();
  }

  #transmit(plaintext: Buffer): void {
    const { key, ticketId, port } = this.#ticket;
    const data = sealDatagram(key, "up", ticketId, this.#counter++, plaintext);
    const datagram = this.#isOpen ? data : Buffer.concat([Buffer.of(datagramTypes.open), this.#cookie, data]);
    if (this.#taps.onOut?.(datagram) === false) return;
    this.#sending++;
    this.#socket.send(datagram, port, "127.0.0.1", () => {
      this.#sending--;
      this.#closeWhenSent();
    });
  }

  #onDatagram(datagram: Buffer): void {
    if (this.#isPaused || this.#isClosed || this.#taps.onIn?.(datagram) === false) return;
    const plaintext = openDatagram(this.#ticket.key, "down", datagram);
    if (plaintext === undefined) return;
    this.#isOpen = true;
    this.#channel.receive(plaintext);
  }

  #onChunk(flags: number, data: Buffer): void {
    this.#pieces.push(data);
    if ((flags & chunkFlags.endOfFrame) !== 0) {
      this.#events.onFrame(Buffer.concat(this.#pieces));
      this.#pieces = [];
    }
    if ((flags & chunkFlags.close) !== 0) this.#finish();
  }

  #finish(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#channel.close();
    this.#wheel.close();
    this.#closeWhenSent();
    this.#events.onClosed();
  }

  #closeWhenSent(): void {
    if (this.#isClosed && this.#sending === 0) this.#socket.close();
  }
}

/** Opens a session over UDP with a ticket. */
export function udpWire(ticket: OpenUdpResponse, taps: UdpTaps = {}): OpenWire {
  return async (events) => {
    const socket = await openUdpSocket();
    return new UdpWire(ticket, taps, events, socket, await askCookie(socket, ticket.port));
  };
}
