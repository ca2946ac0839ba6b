// Generated from proto/errors.json by scripts/generate-errors.ts. Do not edit.

/** One row of the error registry; `code` is the Connect status code. */
export interface ErrorRow {
  readonly number: number;
  readonly name: string;
  readonly code: number;
  readonly retryable: boolean;
  readonly text: string;
}

/** One way the server ends a long connection. */
export interface CloseRow {
  readonly code: number;
  readonly name: string;
  readonly reconnect: "jittered" | "after-token" | "never";
  readonly text: string;
}

/** The error registry, by name. */
export const errorRegistry = {
  INTERNAL: { number: 1, name: "INTERNAL", code: 13, retryable: true, text: "Something failed inside; the operator's log has the cause under the same trace." },
  UNAVAILABLE: { number: 2, name: "UNAVAILABLE", code: 14, retryable: true, text: "The service is starting, stopping or out of reach." },
  DEADLINE_EXCEEDED: { number: 3, name: "DEADLINE_EXCEEDED", code: 4, retryable: true, text: "The time for the call ran out; whether it took effect is unknown, so resend the same bytes." },
  CANCELLED: { number: 4, name: "CANCELLED", code: 1, retryable: true, text: "The caller gave up." },
  OVERLOADED: { number: 5, name: "OVERLOADED", code: 8, retryable: true, text: "A queue is full; wait and resend." },
  RATE_LIMITED: { number: 6, name: "RATE_LIMITED", code: 8, retryable: true, text: "Too many calls; wait and resend." },
  DISK_FULL: { number: 7, name: "DISK_FULL", code: 8, retryable: true, text: "The log's disk is full; nothing was stored. Resend when the operator has made room." },
  INVALID_ARGUMENT: { number: 20, name: "INVALID_ARGUMENT", code: 3, retryable: false, text: "A field broke its rule; the violations name it." },
  MALFORMED_PAYLOAD: { number: 21, name: "MALFORMED_PAYLOAD", code: 3, retryable: false, text: "The payload is not an encoding of the method's request." },
  UNKNOWN_METHOD: { number: 22, name: "UNKNOWN_METHOD", code: 12, retryable: false, text: "No contract has this SVID and CMD, or clients may not call it." },
  FRAME_TOO_LARGE: { number: 23, name: "FRAME_TOO_LARGE", code: 3, retryable: false, text: "The frame is over the limit." },
  MALFORMED_FRAME: { number: 24, name: "MALFORMED_FRAME", code: 3, retryable: false, text: "The frame is not an encoding of a PacketBatch." },
  NEEDS_LONG_CONNECTION: { number: 25, name: "NEEDS_LONG_CONNECTION", code: 9, retryable: false, text: "The method answers only over a long connection." },
  INSTANCE_GONE: { number: 26, name: "INSTANCE_GONE", code: 14, retryable: true, text: "The one process that the call was for is not there." },
  UNAUTHENTICATED: { number: 40, name: "UNAUTHENTICATED", code: 16, retryable: false, text: "No token was given." },
  TOKEN_INVALID: { number: 41, name: "TOKEN_INVALID", code: 16, retryable: false, text: "The token is not one of ours." },
  TOKEN_EXPIRED: { number: 42, name: "TOKEN_EXPIRED", code: 16, retryable: false, text: "The token has ended; refresh it." },
  SESSION_REVOKED: { number: 43, name: "SESSION_REVOKED", code: 16, retryable: false, text: "The session was signed out; sign in again." },
  WRONG_CREDENTIALS: { number: 44, name: "WRONG_CREDENTIALS", code: 16, retryable: false, text: "Name or password is wrong." },
  PERMISSION_DENIED: { number: 45, name: "PERMISSION_DENIED", code: 7, retryable: false, text: "The caller may not do this." },
  NOT_A_MEMBER: { number: 46, name: "NOT_A_MEMBER", code: 7, retryable: false, text: "The caller is not a member of the conversation." },
  BACKEND_REFUSED: { number: 47, name: "BACKEND_REFUSED", code: 7, retryable: false, text: "The identity, its secret or the SVID of a registering server is not one that Route is configured with." },
  NOT_FOUND: { number: 60, name: "NOT_FOUND", code: 5, retryable: false, text: "There is no such thing." },
  ALREADY_EXISTS: { number: 61, name: "ALREADY_EXISTS", code: 6, retryable: false, text: "The name is taken." },
  ID_TIME_OUT_OF_RANGE: { number: 62, name: "ID_TIME_OUT_OF_RANGE", code: 9, retryable: false, text: "The client message id is older than 48 hours or ahead of the server's clock; ask GetSend, then send under a new id." },
  NOT_YET: { number: 63, name: "NOT_YET", code: 9, retryable: true, text: "The range is beyond the committed head; ask again shortly." },
  LIMIT_REACHED: { number: 64, name: "LIMIT_REACHED", code: 9, retryable: false, text: "A limit of the service is reached, such as members of a group." },
  WRONG_STATE: { number: 65, name: "WRONG_STATE", code: 9, retryable: false, text: "The call does not fit the state of the connection." },
  CONTRACT_MISMATCH: { number: 66, name: "CONTRACT_MISMATCH", code: 9, retryable: false, text: "Another server of this SVID runs with a different contract." },
  SEND_UNREADABLE: { number: 67, name: "SEND_UNREADABLE", code: 15, retryable: false, text: "The message came to harm after it was taken; its seq holds a placeholder. Send it again under a new id." },
  STALE_OWNER: { number: 80, name: "STALE_OWNER", code: 10, retryable: true, text: "Another owner has taken the partition." },
  CORRUPT: { number: 81, name: "CORRUPT", code: 15, retryable: false, text: "Stored data does not match its checksum." },
  HOLE: { number: 82, name: "HOLE", code: 15, retryable: false, text: "A range of the history is missing from every store." },
  HISTORY_UNAVAILABLE: { number: 83, name: "HISTORY_UNAVAILABLE", code: 14, retryable: true, text: "The store of older messages does not answer; newer ones can be read meanwhile." },
} as const satisfies Record<string, ErrorRow>;

/** Name of an error. */
export type ErrorName = keyof typeof errorRegistry;

/** The close codes, by name. */
export const closeCodes = {
  GOING_AWAY: { code: 1001, name: "GOING_AWAY", reconnect: "jittered", text: "The server is going down; reconnect after the time it named." },
  FRAME_TOO_LARGE: { code: 1009, name: "FRAME_TOO_LARGE", reconnect: "jittered", text: "A frame was over the limit." },
  BAD_FRAME: { code: 4000, name: "BAD_FRAME", reconnect: "jittered", text: "A frame was not a PacketBatch." },
  HELLO_TIMEOUT: { code: 4001, name: "HELLO_TIMEOUT", reconnect: "jittered", text: "No Hello came in time." },
  HELLO_EXPECTED: { code: 4002, name: "HELLO_EXPECTED", reconnect: "jittered", text: "The first packet was not Hello." },
  UNAUTHENTICATED: { code: 4003, name: "UNAUTHENTICATED", reconnect: "after-token", text: "The token was refused; get a new one, then reconnect." },
  TOKEN_EXPIRED: { code: 4004, name: "TOKEN_EXPIRED", reconnect: "after-token", text: "The token ended; refresh it, then reconnect." },
  SESSION_REVOKED: { code: 4005, name: "SESSION_REVOKED", reconnect: "never", text: "The session was signed out." },
  REPLACED: { code: 4006, name: "REPLACED", reconnect: "never", text: "Another device or too many connections of this one took its place." },
  SLOW_CLIENT: { code: 4007, name: "SLOW_CLIENT", reconnect: "jittered", text: "The client did not read for too long." },
  HEARTBEAT_TIMEOUT: { code: 4008, name: "HEARTBEAT_TIMEOUT", reconnect: "jittered", text: "No heartbeat came in time." },
  RATE_LIMITED: { code: 4009, name: "RATE_LIMITED", reconnect: "jittered", text: "Too many frames." },
  OVERLOADED: { code: 4010, name: "OVERLOADED", reconnect: "jittered", text: "The server has too many connections." },
} as const satisfies Record<string, CloseRow>;

/** Name of a close code. */
export type CloseName = keyof typeof closeCodes;
