/**
 * What test clients write down. Times are microseconds of the machine's monotonic clock (process.hrtime), so logs of
 * several processes of one machine compare. Events of one device stand in the order in which they happened.
 */

/** A message as somebody saw it. */
export interface SeenMessage {
  readonly seq: number;
  /** Client message id, hex. */
  readonly id: string;
  /** User who is said to have sent it. */
  readonly sender: string;
  /** Checksum of the content: equal content, equal number. */
  readonly body: number;
  /** Written by the mesh (membership), not by a user. */
  readonly system: boolean;
}

interface Base {
  readonly timeUs: number;
  readonly user: string;
}

interface OnDevice extends Base {
  readonly device: string;
}

interface InConversation extends OnDevice {
  readonly conversation: string;
}

/** The application asked for a send; a repeat with the same id is a resend. Sends of one request share `batch`. */
export interface InvokeEvent extends InConversation {
  readonly kind: "invoke";
  readonly id: string;
  readonly body: number;
  readonly batch?: string;
}

/** The server said "durable". */
export interface AckEvent extends InConversation {
  readonly kind: "ack";
  readonly id: string;
}

/** The server named the seq; with `conflict` the seq is that of an earlier send with the same id and another body. */
export interface SettledEvent extends InConversation {
  readonly kind: "settled";
  readonly id: string;
  readonly seq: number;
  readonly conflict: boolean;
}

/** The application was told that the send failed for good. */
export interface RefusedEvent extends InConversation {
  readonly kind: "refused";
  readonly id: string;
  readonly error: string;
}

/** The application of a device was shown a message. */
export interface ReceiveEvent extends InConversation {
  readonly kind: "receive";
  readonly message: SeenMessage;
}

/** A read of history. The final reads of a user, taken together, are what the user can read after everything settled. */
export interface FetchEvent extends InConversation {
  readonly kind: "fetch";
  readonly final: boolean;
  /** Head as answered. */
  readonly headSeq: number;
  readonly messages: readonly SeenMessage[];
}

/** A connection was welcomed, or ended. */
export interface ConnectionEvent extends OnDevice {
  readonly kind: "connect" | "close";
}

/** A user may read from `seq` on ("joined") or not from `seq` on ("left"). `onLog`: a system message has this seq. */
export interface MembershipEvent extends Base {
  readonly kind: "joined" | "left";
  readonly conversation: string;
  readonly seq: number;
  readonly onLog: boolean;
}

/** One line of a history. */
export type HistoryEvent =
  | InvokeEvent
  | AckEvent
  | SettledEvent
  | RefusedEvent
  | ReceiveEvent
  | FetchEvent
  | ConnectionEvent
  | MembershipEvent;
