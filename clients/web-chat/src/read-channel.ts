interface ReadNote {
  readonly key: string;
  readonly seq: number;
}

/** Tells the other tabs of the user in this browser what was read here, and hears it from them. */
export class ReadChannel {
  readonly #channel: BroadcastChannel;

  constructor(userId: bigint, onRead: (key: string, seq: number) => void) {
    this.#channel = new BroadcastChannel(`chappe-read-${userId}`);
    this.#channel.onmessage = ({ data }: MessageEvent<ReadNote>) => onRead(data.key, data.seq);
  }

  /** The conversation was read up to `seq`. */
  tell(key: string, seq: number): void {
    this.#channel.postMessage({ key, seq } satisfies ReadNote);
  }

  close(): void {
    this.#channel.close();
  }
}
