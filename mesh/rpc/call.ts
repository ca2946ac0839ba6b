import type { Identity } from "./identity.ts";

/** A call on its way to a backend. Payload bytes are opaque to everything but the backend. */
export interface Call {
  readonly svid: number;
  readonly cmd: number;
  readonly payload: Uint8Array;
  readonly identity: Identity;
  /** Bytes that choose the backend; empty when any will do. */
  readonly affinity: Uint8Array;
  /** Unix milliseconds after which the answer is of no use. */
  readonly deadlineMs: number;
  /** W3C traceparent; empty when not sampled. */
  readonly traceContext: Uint8Array;
  /** Id of the backend that must take it; INSTANCE_GONE when it is not there. */
  readonly target?: string;
  /** Network address of the client, when it came over HTTP. */
  readonly clientAddress?: string;
  readonly signal?: AbortSignal;
}

/** Serves every method of one SVID. */
export interface Backend {
  readonly svid: number;
  /** Answers with the encoded response; rejects with ChappeError. */
  handle(call: Call): Promise<Uint8Array>;
}

/** Takes a call to the backend of its SVID. Rejects with ChappeError: UNKNOWN_METHOD, UNAVAILABLE, the backend's own. */
export interface Router {
  call(call: Call): Promise<Uint8Array>;
}

/** No bytes. */
export const noBytes: Uint8Array = new Uint8Array(0);
