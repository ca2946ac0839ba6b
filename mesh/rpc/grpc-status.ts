import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import type { ErrorName } from "@chappe/gen/errors.ts";
import { Metadata, type ServiceError, type StatusObject, status } from "@grpc/grpc-js";
import { ChappeError } from "../errors/chappe-error.ts";
import { decodeError, encodeError, toChappeError } from "./connect-errors.ts";

const errorDetailType = "chappe.mesh.v1.ErrorDetail";
const detailsField = 3;
const detailsKey = "grpc-status-details-bin";

const namesByStatus: ReadonlyMap<number, ErrorName> = new Map<number, ErrorName>([
  [status.CANCELLED, "CANCELLED"],
  [status.INVALID_ARGUMENT, "INVALID_ARGUMENT"],
  [status.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"],
  [status.NOT_FOUND, "NOT_FOUND"],
  [status.ALREADY_EXISTS, "ALREADY_EXISTS"],
  [status.PERMISSION_DENIED, "PERMISSION_DENIED"],
  [status.RESOURCE_EXHAUSTED, "OVERLOADED"],
  [status.FAILED_PRECONDITION, "WRONG_STATE"],
  [status.UNIMPLEMENTED, "UNKNOWN_METHOD"],
  [status.UNAVAILABLE, "UNAVAILABLE"],
  [status.UNAUTHENTICATED, "UNAUTHENTICATED"],
]);

/** Those whose text is about the caller's request, so the caller may read it. */
const told: ReadonlySet<number> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
  status.FAILED_PRECONDITION,
]);

/** The fields 1 (text) and 2 (bytes) of a google.protobuf.Any. */
function readAny(bytes: Uint8Array): { type: string; value: Uint8Array } {
  const reader = new BinaryReader(bytes);
  const any = { type: "", value: new Uint8Array(0) };
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) any.type = reader.string().split("/").at(-1)!;
    else if (field === 2) any.value = new Uint8Array(reader.bytes());
    else reader.skip(wireType, field);
  }
  return any;
}

/** The ErrorDetail in an encoded google.rpc.Status; undefined when there is none that can be read. */
function errorInDetails(bytes: Uint8Array): ChappeError | undefined {
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field !== detailsField) {
        reader.skip(wireType, field);
        continue;
      }
      const { type, value } = readAny(reader.bytes());
      if (type === errorDetailType) return decodeError(value);
    }
  } catch {
    return undefined;
  }
  return undefined;
}

/** A gRPC status as ChappeError: the ErrorDetail that it carries, or what its code means; unknown codes are INTERNAL. */
export function statusToError(error: ServiceError): ChappeError {
  const [details] = error.metadata.get(detailsKey);
  const own = details instanceof Uint8Array ? errorInDetails(details) : undefined;
  if (own !== undefined) return own;
  const text = told.has(error.code) && error.details !== "" ? error.details : undefined;
  return new ChappeError(namesByStatus.get(error.code) ?? "INTERNAL", text, { cause: error });
}

/** Any thrown value as gRPC status with its ErrorDetail, as gRPC libraries of every language read it. */
export function errorToStatus(error: unknown): StatusObject {
  const chappeError = toChappeError(error);
  const { message, row } = chappeError;
  const any = new BinaryWriter();
  any.tag(1, 2).string(`type.googleapis.com/${errorDetailType}`).tag(2, 2).bytes(encodeError(chappeError));
  const bytes = new BinaryWriter().tag(1, 0).int32(row.code).tag(2, 2).string(message);
  bytes.tag(detailsField, 2).bytes(any.finish());
  const metadata = new Metadata();
  metadata.set(detailsKey, Buffer.from(bytes.finish()));
  return { code: row.code, details: message, metadata };
}
