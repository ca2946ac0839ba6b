import { idBytes } from "./ids.ts";

/** Makes client message ids in the server's time. */
export interface IdClock {
  /** Tells the clock what the server's says now, in Unix milliseconds. */
  sync(serverTimeMs: number): void;
  /** The server's time as far as known, in Unix milliseconds. Never runs backwards from id to id. */
  nowMs(): number;
  /** A UUIDv7 of 16 bytes, greater than every one before it. */
  nextId(): Uint8Array;
}

/** Time of a UUIDv7, in Unix milliseconds. */
export function uuidV7TimeMs(id: Uint8Array): number {
  const view = new DataView(id.buffer, id.byteOffset, idBytes);
  return view.getUint16(0) * 0x1_0000_0000 + view.getUint32(2);
}

const maxCounter = 0xfff;

/** `localNowMs` = the device's clock; only its differences matter once `sync` was called. */
export function createIdClock(localNowMs: () => number = Date.now): IdClock {
  let offsetMs = 0;
  let lastMs = 0;
  let counter = 0;
  const nowMs = (): number => Math.round(localNowMs() + offsetMs);
  return {
    sync(serverTimeMs) {
      // A clock that jumped far ahead before it was corrected must not leave its mark on the ids that follow.
      offsetMs = serverTimeMs - localNowMs();
      if (lastMs > serverTimeMs + 1_000) lastMs = 0;
    },
    nowMs,
    nextId() {
      const now = nowMs();
      if (now > lastMs) {
        lastMs = now;
        counter = 0;
      } else if (++counter > maxCounter) {
        lastMs++;
        counter = 0;
      }
      const id = crypto.getRandomValues(new Uint8Array(idBytes));
      const view = new DataView(id.buffer);
      view.setUint16(0, Math.floor(lastMs / 0x1_0000_0000));
      view.setUint32(2, lastMs % 0x1_0000_0000);
      view.setUint16(6, 0x7000 | counter);
      id[8] = (id[8]! & 0x3f) | 0x80;
      return id;
    },
  };
}
