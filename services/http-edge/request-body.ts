import type { IncomingMessage, ServerResponse } from "node:http";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";

/** FRAME_TOO_LARGE that names the body and its bound. */
export function bodyTooLarge(maxBytes: number): ChappeError {
  const message = `the body is over the ${maxBytes} bytes that this method takes`;
  return new ChappeError("FRAME_TOO_LARGE", message, {
    violations: [{ field: "body", rule: "bytes.max_len", message }],
  });
}

/** Settles as `work` does, or rejects with what `signalError` makes as soon as the signal is aborted. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal, signalError: () => ChappeError): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signalError());
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/**
 * The body of a request, read when it is asked for. Throws FRAME_TOO_LARGE beyond `maxBytes`, and what `signalError`
 * makes when the signal ends it; the connection stays usable for the answer.
 */
export async function* readBody(
  request: IncomingMessage,
  maxBytes: number,
  signal: AbortSignal,
  signalError: () => ChappeError,
): AsyncGenerator<Uint8Array> {
  const chunks = request.iterator({ destroyOnReturn: false });
  let bytes = 0;
  for (;;) {
    const { done, value } = await untilAborted<IteratorResult<Buffer>>(chunks.next(), signal, signalError);
    if (done === true) return;
    bytes += value.byteLength;
    if (bytes > maxBytes) throw bodyTooLarge(maxBytes);
    yield value;
  }
}

/**
 * Lets the rest of a body that nobody wants go by without keeping it, so that a client that is still sending gets to
 * read its answer. Cuts the connection after limits.maxHttpDiscardBytes or limits.httpDiscardMs.
 */
export function discardBody(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request;
  let left = limits.maxHttpDiscardBytes;
  const timer = setTimeout(() => socket.destroy(), limits.httpDiscardMs).unref();
  request.on("data", (chunk: Buffer) => {
    left -= chunk.byteLength;
    if (left < 0) socket.destroy();
  });
  request.on("error", () => undefined);
  const stop = (): void => clearTimeout(timer);
  request.once("end", stop);
  response.once("close", () => {
    if (socket.destroyed) stop();
  });
}
