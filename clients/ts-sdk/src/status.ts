import type { ChappeClientError } from "./client-error.ts";
import { Stream } from "./stream.ts";

/** How the client stands with the server. */
export type ClientStatus =
  /** A connection is being made. */
  | { readonly state: "connecting" }
  /** Connected; older messages are being fetched. Sends go out already. */
  | { readonly state: "catching-up" }
  /** Everything up to the heads is here. */
  | { readonly state: "online" }
  /** No connection; the next attempt comes by itself. */
  | { readonly state: "offline"; readonly reason: ChappeClientError; readonly retryInMs: number }
  /** Over: `close()` was called (no reason), or the server will not have this client back. */
  | { readonly state: "closed"; readonly reason?: ChappeClientError };

/** The current status and its changes. */
export class StatusBoard {
  #current: ClientStatus = { state: "connecting" };
  readonly #streams = new Set<Stream<ClientStatus>>();

  get current(): ClientStatus {
    return this.#current;
  }

  /** Sets the status. Nothing follows "closed". */
  set(status: ClientStatus): void {
    if (this.#current.state === "closed") return;
    this.#current = status;
    for (const stream of [...this.#streams]) {
      // Only the newest status matters to a reader who has fallen behind.
      if (stream.size > 0) stream.dropOldest();
      stream.push(status);
    }
  }

  /** The status now, then each change; a slow reader sees the newest only. Ends after the last change. */
  changes(signal?: AbortSignal): AsyncIterableIterator<ClientStatus> {
    const stream: Stream<ClientStatus> = new Stream({ onEnd: () => this.#streams.delete(stream) }, signal);
    if (stream.ended) return stream;
    stream.push(this.#current);
    if (this.#current.state === "closed") stream.finish();
    else this.#streams.add(stream);
    return stream;
  }

  close(): void {
    for (const stream of [...this.#streams]) stream.finish();
  }
}
