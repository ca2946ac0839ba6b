import type { ServerResponse } from "node:http";
import type { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { AddressTicket } from "../address-limits.ts";
import type { LeanStream } from "./lean-protocols.ts";
import { type ListenContext, ListenTransport } from "./listen-transport.ts";

/** A Listen stream that is written straight to its HTTP response. */
export class LeanListen extends ListenTransport {
  readonly #response: ServerResponse;
  readonly #protocol: LeanStream;
  /** While the response has no room: what it took last, then what waits. */
  #queue: Buffer[] | undefined = undefined;
  #end: Uint8Array | undefined = undefined;

  constructor(context: ListenContext, ticket: AddressTicket, response: ServerResponse, protocol: LeanStream) {
    super(context, ticket);
    this.#response = response;
    this.#protocol = protocol;
  }

  protected override put(frame: Buffer): void {
    if (this.#queue === undefined && this.#response.write(frame)) return;
    this.waitingBytes += frame.length;
    if (this.#queue !== undefined) this.#queue.push(frame);
    else {
      this.#queue = [frame];
      this.#response.once("drain", () => this.#goOn());
    }
  }

  protected override finish(error: ChappeError): void {
    this.#end = this.#protocol.endOf(error);
    if (this.#queue === undefined) this.#response.end(this.#end);
  }

  protected override cut(): void {
    this.#response.destroy();
  }

  protected override forget(): void {
    this.#queue = undefined;
  }

  #goOn(): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    // What is put meanwhile joins the queue.
    for (;;) {
      this.taken(queue.shift()!.length);
      if (queue.length === 0) break;
      if (!this.#response.write(queue[0])) {
        this.#response.once("drain", () => this.#goOn());
        return;
      }
    }
    this.#queue = undefined;
    if (this.#end !== undefined) this.#response.end(this.#end);
  }
}
