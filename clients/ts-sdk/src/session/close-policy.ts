import { type CloseRow, closeCodes, type ErrorName } from "@chappe/gen/errors.ts";
import { ChappeClientError } from "../client-error.ts";
import type { ConnectionEnd } from "../wire/connection.ts";

/** What follows the end of a connection, or a failed attempt at one. */
export type Ending =
  /** Connect again, after `afterMs` or the backoff's time. `newToken` = the old token is of no more use. */
  | {
      readonly kind: "retry";
      readonly reason: ChappeClientError;
      readonly newToken: boolean;
      readonly afterMs?: number | undefined;
    }
  /** Never connect again. */
  | { readonly kind: "stop"; readonly reason: ChappeClientError };

const rows: ReadonlyMap<number, CloseRow> = new Map(Object.values(closeCodes).map((row) => [row.code, row]));
const kindOfError: Partial<Record<string, CloseRow["reconnect"]>> = {
  UNAUTHENTICATED: "after-token",
  TOKEN_INVALID: "after-token",
  TOKEN_EXPIRED: "after-token",
  SESSION_REVOKED: "never",
} satisfies Partial<Record<ErrorName, CloseRow["reconnect"]>>;

/** What the close code says; codes without a row are losses of the network: reconnect. */
export function endingOfClose(end: ConnectionEnd): Ending {
  const row = rows.get(end.code);
  const reason = end.error ?? errorOfClose(row, end);
  return endingOf(row?.reconnect ?? "jittered", reason);
}

/** What the refusal of Hello, of a heartbeat or by `getToken` says. */
export function endingOfError(error: ChappeClientError): Ending {
  return endingOf(kindOfError[error.name] ?? "jittered", error);
}

/** The close code that tells the same as an error of Hello or Heartbeat. */
export function closeCodeOfError(error: ChappeClientError): number {
  if (error.name === "SESSION_REVOKED") return closeCodes.SESSION_REVOKED.code;
  if (error.name === "TOKEN_EXPIRED") return closeCodes.TOKEN_EXPIRED.code;
  return kindOfError[error.name] === undefined ? closeCodes.HEARTBEAT_TIMEOUT.code : closeCodes.UNAUTHENTICATED.code;
}

function endingOf(reconnect: CloseRow["reconnect"], reason: ChappeClientError): Ending {
  if (reconnect === "never") return { kind: "stop", reason };
  const afterMs = reason.retryAfterMs > 0 ? reason.retryAfterMs : undefined;
  return { kind: "retry", reason, newToken: reconnect === "after-token", afterMs };
}

function errorOfClose(row: CloseRow | undefined, end: ConnectionEnd): ChappeClientError {
  const text = end.reason === "" ? (row?.text ?? `the connection was lost (${end.code})`) : end.reason;
  switch (row?.name) {
    case "UNAUTHENTICATED":
    case "TOKEN_EXPIRED":
    case "SESSION_REVOKED":
    case "RATE_LIMITED":
    case "OVERLOADED":
      return new ChappeClientError(row.name, text);
    case "REPLACED":
      return new ChappeClientError("WRONG_STATE", text);
    default:
      return new ChappeClientError("UNAVAILABLE", text);
  }
}
