import { create } from "@bufbuild/protobuf";
import { type ErrorName, type ErrorRow, errorRegistry } from "@chappe/gen/errors.ts";
import { type ErrorDetail, ErrorDetailSchema } from "@chappe/gen/proto/chappe/mesh/v1/error_pb.ts";
import { Code, ConnectError } from "@connectrpc/connect";

/** A field that broke its rule; `field` is the path in the request. */
export interface Violation {
  readonly field: string;
  readonly rule: string;
  readonly message: string;
}

/** What an error may carry besides its row of the registry. */
export interface ClientErrorOptions {
  readonly cause?: unknown;
  readonly violations?: readonly Violation[];
  /** Wait at least so long before a retry, in milliseconds. @default 0 */
  readonly retryAfterMs?: number;
  /** @default false */
  readonly outcomeUnknown?: boolean;
}

/**
 * The error of everything in this package but `client.transport`, whose errors are ConnectErrors with the same facts as
 * an ErrorDetail; `ChappeClientError.from` reads those.
 */
export class ChappeClientError extends Error {
  /** Name in the registry, e.g. "NOT_A_MEMBER". Servers newer than the client may use names it does not know. */
  override readonly name: string;
  /** Number in the registry. */
  readonly number: number;
  /** Connect (= gRPC) status code. */
  readonly code: Code;
  /** Whether the same bytes may be sent again later. */
  readonly retryable: boolean;
  /** Wait at least so long before a retry, in milliseconds; 0 = the caller's own backoff. */
  readonly retryAfterMs: number;
  /** Fields at fault, when the input was bad. */
  readonly violations: readonly Violation[];
  /** True when a send may have taken effect all the same, because the server would not say. */
  readonly outcomeUnknown: boolean;

  /** `row` = a row of the error registry, or its name. */
  constructor(row: ErrorName | Omit<ErrorRow, "text">, message?: string, options: ClientErrorOptions = {}) {
    const facts: Omit<ErrorRow, "text"> = typeof row === "string" ? errorRegistry[row] : row;
    const text = message ?? (typeof row === "string" ? errorRegistry[row].text : facts.name);
    super(text, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = facts.name;
    this.number = facts.number;
    this.code = facts.code as Code;
    this.retryable = facts.retryable;
    this.retryAfterMs = options.retryAfterMs ?? 0;
    this.violations = options.violations ?? [];
    this.outcomeUnknown = options.outcomeUnknown ?? false;
  }

  /** Whether `error` is a ChappeClientError of this name. */
  static is(error: unknown, name: ErrorName): error is ChappeClientError {
    return error instanceof ChappeClientError && error.name === name;
  }

  /** The error that an ERROR packet carries. */
  static fromDetail(detail: ErrorDetail, cause?: unknown): ChappeClientError {
    return new ChappeClientError(detail, detail.message, {
      cause,
      retryAfterMs: detail.retryAfterMs,
      violations: detail.violations.map(({ field, rule, message }) => ({ field, rule, message })),
    });
  }

  /** Any thrown value as a ChappeClientError; itself when it is one already. */
  static from(error: unknown): ChappeClientError {
    if (error instanceof ChappeClientError) return error;
    if (error instanceof ConnectError) {
      const detail = error.findDetails(ErrorDetailSchema)[0];
      if (detail !== undefined) return ChappeClientError.fromDetail(detail, error);
      return new ChappeClientError(nameOfCode(error.code), error.rawMessage, { cause: error });
    }
    const cancelled = error instanceof Error && error.name === "AbortError";
    return new ChappeClientError(cancelled ? "CANCELLED" : "INTERNAL", undefined, { cause: error });
  }

  /** The same facts as a ConnectError with an ErrorDetail. */
  toConnectError(): ConnectError {
    const value = create(ErrorDetailSchema, {
      number: this.number,
      name: this.name,
      code: this.code,
      message: this.message,
      retryable: this.retryable,
      retryAfterMs: this.retryAfterMs,
      violations: this.violations.map((violation) => ({ ...violation })),
    });
    return new ConnectError(this.message, this.code, undefined, [{ desc: ErrorDetailSchema, value }], this.cause);
  }
}

/** A bad argument of this package's own functions: INVALID_ARGUMENT with one violation. */
export function invalidArgument(field: string, rule: string, message: string): ChappeClientError {
  return new ChappeClientError("INVALID_ARGUMENT", `${field}: ${message}`, { violations: [{ field, rule, message }] });
}

function nameOfCode(code: Code): ErrorName {
  switch (code) {
    case Code.Canceled:
      return "CANCELLED";
    case Code.InvalidArgument:
      return "INVALID_ARGUMENT";
    case Code.DeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case Code.NotFound:
      return "NOT_FOUND";
    case Code.AlreadyExists:
      return "ALREADY_EXISTS";
    case Code.PermissionDenied:
      return "PERMISSION_DENIED";
    case Code.ResourceExhausted:
      return "OVERLOADED";
    case Code.FailedPrecondition:
      return "WRONG_STATE";
    case Code.Unimplemented:
      return "UNKNOWN_METHOD";
    case Code.Unauthenticated:
      return "UNAUTHENTICATED";
    // A fetch that never reached a server is Unknown to Connect.
    case Code.Unknown:
    case Code.Unavailable:
      return "UNAVAILABLE";
    default:
      return "INTERNAL";
  }
}
