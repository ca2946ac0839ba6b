import type { IncomingMessage } from "node:http";

/** What readWhole needs. */
export interface ReadWholeOptions {
  /** What may be held of the body. */
  readonly maxBytes: number;
  /** Gets the body. */
  readonly onWhole: (body: Buffer) => void;
  /** The body has more bytes: the request is as if nothing of it had been read. */
  readonly onMore: () => void;
}

const noBytes: Buffer = Buffer.alloc(0);

/** Reads the body of a request. Calls back once, or never when the client goes. */
export function readWhole(request: IncomingMessage, { maxBytes, onWhole, onMore }: ReadWholeOptions): void {
  let body = noBytes;
  let chunks: Buffer[] | undefined;
  let bytes = 0;
  const whole = (): Buffer => (chunks === undefined ? body : Buffer.concat(chunks));
  const stop = (): void => {
    request.off("data", onData);
    request.off("end", onEnd);
  };
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes === chunk.length) body = chunk;
    else {
      chunks ??= [body];
      chunks.push(chunk);
    }
    if (bytes <= maxBytes) return;
    stop();
    request.pause();
    request.unshift(whole());
    onMore();
  };
  const onEnd = (): void => {
    stop();
    onWhole(whole());
  };
  request.on("data", onData);
  request.on("end", onEnd);
}
