/** The Chappe client for browsers and Node. File stores for Node are in node.ts. */
export { DeviceClass } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
export { MessageKind } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
export {
  type Credentials,
  createHttpTransport,
  createTokenSource,
  refresh,
  register,
  type ServerOptions,
  signIn,
  signOut,
  type Tokens,
} from "./auth.ts";
export type { ChappeClient } from "./client.ts";
export { ChappeClientError, type Violation } from "./client-error.ts";
export { connect } from "./connect.ts";
export type { ConnectOptions } from "./connect-options.ts";
export type { Conversation, HistoryOptions, MemberCursor, WaitOptions } from "./conversation.ts";
export {
  conversationIdFromString,
  conversationIdToString,
  directConversationId,
  directUsers,
  isGroupConversation,
  randomDeviceId,
  userIdFromString,
  userIdToString,
} from "./ids.ts";
export { type ClientLimits, defaultLimits } from "./limits.ts";
export { createMemoryOutbox, type OutboxChange, type OutboxEntry, type OutboxStore } from "./outbox/outbox-store.ts";
export type { Place, SendHandle, SendState } from "./outbox/send-handle.ts";
export type { SendContent } from "./outbox/send-request.ts";
export { type Cursor, type CursorStore, createMemoryCursors } from "./receive/cursor-store.ts";
export type { ReceivedMessage } from "./receive/received-message.ts";
export type { Backlog } from "./receive/receiver.ts";
export type { GetToken, TokenReason } from "./session/token-source.ts";
export type { ClientStatus } from "./status.ts";
export { createIndexedDbCursors } from "./stores/indexeddb-cursors.ts";
export { createIndexedDbOutbox, type IndexedDbOutboxOptions } from "./stores/indexeddb-outbox.ts";
export { uuidV7TimeMs } from "./uuid-v7.ts";
