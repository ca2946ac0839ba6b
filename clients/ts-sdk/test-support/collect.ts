import type { ChappeClient } from "../src/client.ts";
import { toHex } from "../src/ids.ts";
import type { ReceivedMessage } from "../src/receive/received-message.ts";

/** Everything a client's application has seen, per conversation, in the order of arrival. */
export interface Collected {
  readonly all: ReceivedMessage[];
  seqs(conversationId: Uint8Array): readonly number[];
  /** Settles when so many messages of the conversation have come. */
  reached(conversationId: Uint8Array, count: number): Promise<void>;
}

/** Reads the client's messages until it closes. */
export function collect(client: Pick<ChappeClient, "messages">, signal?: AbortSignal): Collected {
  const all: ReceivedMessage[] = [];
  const waiting = new Set<() => void>();
  const seqs = (id: Uint8Array): readonly number[] => {
    const key = toHex(id);
    return all.filter((message) => toHex(message.conversationId) === key).map((message) => message.seq);
  };
  void (async () => {
    for await (const message of client.messages(signal === undefined ? {} : { signal })) {
      all.push(message);
      for (const check of [...waiting]) check();
    }
  })();
  return {
    all,
    seqs,
    reached: (id, count) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (seqs(id).length < count) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
}

/** 1, 2, 3 ... n. */
export function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index + 1);
}
