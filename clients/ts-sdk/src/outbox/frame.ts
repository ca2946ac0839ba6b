import type { PendingSend } from "./send-handle.ts";

/** One Send call: bytes that never change, and the sends in them. */
export class Frame {
  /** Key of its entry in the store. */
  readonly key: string;
  readonly request: Uint8Array;
  readonly sends: readonly PendingSend[];
  /** It may have reached the server before. */
  resend: boolean;
  /** Aborts when nothing in it is open any more. */
  readonly over = new AbortController();

  constructor(key: string, request: Uint8Array, sends: readonly PendingSend[], resend: boolean) {
    this.key = key;
    this.request = request;
    this.sends = sends;
    this.resend = resend;
    for (const send of sends) send.frame = this;
  }

  /** The sends that have no outcome yet. */
  get open(): readonly PendingSend[] {
    return this.sends.filter((send) => send.open && send.frame === this);
  }
}
