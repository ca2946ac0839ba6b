import type { DescMessage, DescService, MessageShape } from "@bufbuild/protobuf";
import type { Client as ServiceClient, Transport } from "@connectrpc/connect";
import type { Conversation } from "./conversation.ts";
import type { SendHandle } from "./outbox/send-handle.ts";
import type { SendContent } from "./outbox/send-request.ts";
import type { ReceivedMessage } from "./receive/received-message.ts";
import type { ClientStatus } from "./status.ts";

/** A signed-in user's connection to Chappe, kept up until `close()`. */
export interface ChappeClient extends AsyncDisposable {
  readonly userId: bigint;
  readonly deviceId: bigint;
  /** A Connect Transport over the socket: `createClient(AnyService, client.transport)` works as over HTTP, unary only. */
  readonly transport: Transport;
  /** The client of a service over the socket; the same one each time. */
  call<S extends DescService>(service: S): ServiceClient<S>;
  /**
   * Takes a message into the outbox and answers at once; it is sent until the server has it, over any number of
   * connections. Throws ChappeClientError: INVALID_ARGUMENT, OVERLOADED, CANCELLED. The signal takes it back as long
   * as it was not sent.
   */
  send(
    conversationId: Uint8Array | string,
    content: SendContent,
    options?: { readonly signal?: AbortSignal },
  ): SendHandle;
  /** Sends without an outcome, oldest first, those of earlier runs included. */
  readonly pending: readonly SendHandle[];
  /**
   * Messages of all conversations, own ones included: in each conversation by seq, each once, none missing. Several
   * iterators each get all that come while they are open; what comes while there is none waits for the first. Ends
   * with `close()` or the signal, without an error.
   */
  messages(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<ReceivedMessage>;
  /** A view of one conversation; `id` = 16 bytes, or their text. */
  conversation(id: Uint8Array | string): Conversation;
  /** Server events of one type from now on, e.g. PresenceChangedSchema, ReceiptSchema, KickedSchema. */
  events<Desc extends DescMessage>(
    schema: Desc,
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterableIterator<MessageShape<Desc>>;
  /**
   * Hides this client from others' presence, or shows it again, on this connection and later ones. The user is seen
   * online while another of the user's clients is shown. Settles when others see it; rejects with ChappeClientError.
   */
  setInvisible(invisible: boolean, options?: { readonly signal?: AbortSignal }): Promise<void>;
  readonly status: ClientStatus;
  /** The status now, then each change. */
  statusChanges(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<ClientStatus>;
  /** Ends everything: iterators end, open calls and sends reject CANCELLED. A kept outbox goes on with the next client. */
  close(): Promise<void>;
}
