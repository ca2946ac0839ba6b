import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { invalidArgument } from "../client-error.ts";
import { Stream } from "../stream.ts";
import { addressKey, eventKey } from "./addresses.ts";

interface Listener {
  readonly schema: DescMessage;
  readonly take: (event: never, traceContext: Uint8Array) => void;
}

/** Hands server events to those who asked for their type. */
export class EventHub {
  readonly #listeners = new Map<number, Set<Listener>>();
  readonly #streams = new Set<Stream<never>>();
  readonly #maxBufferedEvents: number;

  constructor(maxBufferedEvents: number) {
    this.#maxBufferedEvents = maxBufferedEvents;
  }

  /** Calls back for each event of the type; answers the unsubscribe. Throws INVALID_ARGUMENT for what is no event. */
  on<Desc extends DescMessage>(
    schema: Desc,
    take: (event: MessageShape<Desc>, traceContext: Uint8Array) => void,
  ): () => void {
    const key = eventKey(schema);
    if (key === undefined) throw invalidArgument("schema", "event", `${schema.typeName} is not a server event`);
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    const listener: Listener = { schema, take };
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(key) === listeners) this.#listeners.delete(key);
    };
  }

  /** The events of the type from now on. A consumer that falls behind loses the oldest. */
  stream<Desc extends DescMessage>(schema: Desc, signal?: AbortSignal): AsyncIterableIterator<MessageShape<Desc>> {
    let stop = (): void => {};
    const stream = new Stream<MessageShape<Desc>>(
      {
        onEnd: () => {
          stop();
          this.#streams.delete(stream as unknown as Stream<never>);
        },
      },
      signal,
    );
    if (stream.ended) return stream;
    stop = this.on(schema, (event) => {
      if (stream.size >= this.#maxBufferedEvents) stream.dropOldest();
      stream.push(event);
    });
    this.#streams.add(stream as unknown as Stream<never>);
    return stream;
  }

  /** Gives an event out. Unknown and unreadable ones are ignored: the server may be newer. */
  emit(svid: number, cmd: number, payload: Uint8Array, traceContext: Uint8Array): void {
    const listeners = this.#listeners.get(addressKey(svid, cmd));
    if (listeners === undefined) return;
    let event: MessageShape<DescMessage> | undefined;
    for (const { schema, take } of [...listeners]) {
      try {
        event ??= fromBinary(schema, payload);
      } catch {
        return;
      }
      take(event as never, traceContext);
    }
  }

  close(): void {
    for (const stream of [...this.#streams]) stream.end();
  }
}
