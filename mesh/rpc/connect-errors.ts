import { create, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type ErrorName, errorRegistry } from "@chappe/gen/errors.ts";
import { type ErrorDetail, ErrorDetailSchema } from "@chappe/gen/proto/chappe/mesh/v1/error_pb.ts";
import { Code, ConnectError } from "@connectrpc/connect";
import { ChappeError } from "../errors/chappe-error.ts";

const namesByCode: ReadonlyMap<Code, ErrorName> = new Map([
  [Code.Canceled, "CANCELLED"],
  [Code.DeadlineExceeded, "DEADLINE_EXCEEDED"],
  [Code.Unimplemented, "UNKNOWN_METHOD"],
  [Code.Unavailable, "UNAVAILABLE"],
]);

const isErrorName = (name: string): name is ErrorName => Object.hasOwn(errorRegistry, name);

/** The error as its wire form. */
function toErrorDetail(error: ChappeError): ErrorDetail {
  return create(ErrorDetailSchema, {
    number: error.row.number,
    name: error.row.name,
    code: error.row.code,
    message: error.message,
    retryable: error.row.retryable,
    retryAfterMs: error.retryAfterMs,
    violations: [...error.violations],
  });
}

/** The error of a wire form; a name this build does not know becomes INTERNAL, or UNAVAILABLE when it is retryable. */
function fromErrorDetail(detail: MessageShape<typeof ErrorDetailSchema>): ChappeError {
  const unknown: ErrorName = detail.retryable ? "UNAVAILABLE" : "INTERNAL";
  return new ChappeError(isErrorName(detail.name) ? detail.name : unknown, detail.message, {
    violations: detail.violations.map(({ field, rule, message }) => ({ field, rule, message })),
    retryAfterMs: detail.retryAfterMs,
  });
}

/** Payload of an ERROR packet. Anything but a ChappeError is told as INTERNAL, without its text. */
export function encodeError(error: unknown): Uint8Array {
  return toBinary(ErrorDetailSchema, toErrorDetail(toChappeError(error)));
}

/** The error in the payload of an ERROR packet. Throws when the bytes are not an ErrorDetail. */
export function decodeError(payload: Uint8Array): ChappeError {
  return fromErrorDetail(fromBinary(ErrorDetailSchema, payload));
}

/** Any thrown value as ChappeError; Connect's own errors keep their meaning, everything else is INTERNAL. */
export function toChappeError(error: unknown): ChappeError {
  if (error instanceof ChappeError) return error;
  if (!(error instanceof ConnectError)) return ChappeError.from(error);
  const detail = error.findDetails(ErrorDetailSchema)[0];
  if (detail !== undefined) return fromErrorDetail(detail);
  return new ChappeError(namesByCode.get(error.code) ?? "INTERNAL", undefined, { cause: error });
}

/** Any thrown value as ConnectError with the ErrorDetail as detail; Retry-After is set when there is a wait. */
export function toConnectError(error: unknown): ConnectError {
  const chappeError = toChappeError(error);
  const metadata = new Headers();
  if (chappeError.retryAfterMs > 0) metadata.set("retry-after", String(Math.ceil(chappeError.retryAfterMs / 1000)));
  const detail = { desc: ErrorDetailSchema, value: toErrorDetail(chappeError) };
  return new ConnectError(chappeError.message, chappeError.row.code, metadata, [detail], chappeError);
}
