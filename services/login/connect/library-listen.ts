import type { ServerResponse } from "node:http";
import { fromBinary } from "@bufbuild/protobuf";
import { type PacketBatch, PacketBatchSchema } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import type { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { toConnectError } from "@chappe/mesh/rpc/connect-errors.ts";
import type { AddressTicket } from "../address-limits.ts";
import { envelopeHeaderBytes } from "./envelope.ts";
import { type ListenContext, ListenTransport } from "./listen-transport.ts";

/** A Listen stream whose batches the RPC library asks for. */
export class LibraryListen extends ListenTransport {
  readonly #response: ServerResponse;
  readonly #queue: Buffer[] = [];
  #wake: (() => void) | undefined = undefined;
  #error: ChappeError | undefined = undefined;
  #over = false;

  constructor(context: ListenContext, ticket: AddressTicket, response: ServerResponse) {
    super(context, ticket);
    this.#response = response;
  }

  /** The batches as they are read; ends with an error when the session ends. */
  async *batches(): AsyncGenerator<PacketBatch> {
    for (;;) {
      const frame = this.#queue.shift();
      if (frame !== undefined) {
        yield fromBinary(PacketBatchSchema, frame.subarray(envelopeHeaderBytes));
        // It is asked for the next one when the last has been written.
        this.taken(frame.length);
      } else if (this.#error !== undefined) throw toConnectError(this.#error);
      else if (this.#over) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  protected override put(frame: Buffer): void {
    this.#queue.push(frame);
    this.waitingBytes += frame.length;
    this.#goOn();
  }

  protected override finish(error: ChappeError): void {
    this.#error = error;
    this.#goOn();
  }

  protected override cut(): void {
    this.#response.destroy();
  }

  protected override forget(): void {
    this.#queue.length = 0;
    this.#over = true;
    this.#goOn();
  }

  #goOn(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
