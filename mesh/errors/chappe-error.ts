import { type ErrorName, type ErrorRow, errorRegistry } from "@chappe/gen/errors.ts";

/** A field that broke its rule; `field` is the path in the request. */
export interface Violation {
  readonly field: string;
  readonly rule: string;
  readonly message: string;
}

/** What an error may carry besides its row. */
export interface ChappeErrorOptions {
  readonly cause?: unknown;
  readonly violations?: readonly Violation[];
  /** Wait at least so long before a retry, in milliseconds. @default 0: the caller's own backoff */
  readonly retryAfterMs?: number;
}

/** The only error that modules throw on purpose; everything else is INTERNAL at the edge. */
export class ChappeError extends Error {
  readonly row: ErrorRow;
  readonly violations: readonly Violation[];
  readonly retryAfterMs: number;

  /** `message` is for a developer and is shown to clients: no internals, no user content. */
  constructor(name: ErrorName, message?: string, options: ChappeErrorOptions = {}) {
    const row: ErrorRow = errorRegistry[name];
    super(message ?? row.text, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ChappeError";
    this.row = row;
    this.violations = options.violations ?? [];
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }

  /** Whether `error` is a ChappeError with this registry name. */
  static is(error: unknown, name: ErrorName): error is ChappeError {
    return error instanceof ChappeError && error.row.name === name;
  }

  /** `error` itself when it is a ChappeError, else INTERNAL with `error` as cause. */
  static from(error: unknown): ChappeError {
    return error instanceof ChappeError ? error : new ChappeError("INTERNAL", undefined, { cause: error });
  }
}
