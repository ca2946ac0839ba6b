import type { TracedMessage } from "../codec/traced-message.ts";

/** One event for connections of one Login process. The same bytes go to each of them. */
export interface Delivery {
  readonly connectionIds: readonly bigint[];
  readonly svid: number;
  readonly cmd: number;
  /** The event, encoded. */
  readonly payload: Uint8Array;
  /** Set on messages: feeds the tail rule. */
  readonly conversationId?: Uint8Array;
  /** Highest seq in the payload; set on messages. */
  readonly lastSeq?: number;
  /** Lowest seq in the payload. @default lastSeq */
  readonly firstSeq?: number;
  /** The traced messages in the payload. @default none */
  readonly traced?: readonly TracedMessage[];
}

/** A Login process as the push side sees it. */
export interface DeliverySink {
  /**
   * Writes the events to the connections, in order per connection, and answers the connections that are not here any
   * more. Never waits for a client: a slow one is Login's to deal with.
   */
  deliver(deliveries: readonly Delivery[]): Promise<readonly bigint[]>;
}

/** Finds the Login process of a presence entry; undefined when it is gone. */
export interface DeliverySinks {
  sink(loginId: string): DeliverySink | undefined;
}
