import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { toConnectError } from "@chappe/mesh/rpc/connect-errors.ts";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import {
  contentTypeStreamProto,
  contentTypeUnaryProto,
  createEndStreamSerialization,
  endStreamFlag,
  parseTimeout as parseConnectTimeout,
  protocolVersion,
} from "@connectrpc/connect/protocol-connect";
import {
  contentTypeProto as contentTypeGrpcWeb,
  grpcStatusOk,
  headerGrpcStatus,
  parseTimeout as parseGrpcTimeout,
  setTrailerStatus,
  trailerFlag,
  trailerSerialize,
} from "@connectrpc/connect/protocol-grpc-web";
import { envelopeHeader } from "./envelope.ts";

/** A protocol in its binary codec, as far as it is spoken without the library. */
export interface LeanProtocol {
  /** Whether messages of requests have an envelope. */
  readonly enveloped: boolean;
  /** Whether headers ask for nothing that only the library knows. */
  readonly isPlain: (headers: IncomingHttpHeaders) => boolean;
}

/** How a unary call is answered. */
export interface LeanUnary extends LeanProtocol {
  /** Answers with a message. */
  readonly answer: (response: ServerResponse, message: Uint8Array) => void;
}

/** How a stream is answered. */
export interface LeanStream extends LeanProtocol {
  readonly contentType: string;
  /** The last bytes of a stream that ends with an error. */
  readonly endOf: (error: ChappeError) => Uint8Array;
}

const isIdentity = (encoding: unknown): boolean => encoding === undefined || encoding === "identity";

const isConnect = (encoding: string) => (headers: IncomingHttpHeaders) => {
  const timeout = headers["connect-timeout-ms"]?.toString();
  const version = headers["connect-protocol-version"];
  return (
    isIdentity(headers[encoding]) &&
    (version === undefined || version === protocolVersion) &&
    // Deadlines cut nothing here: SendFrame is answered at once, and a Listen stream outlives the wish of its client.
    (timeout === undefined || parseConnectTimeout(timeout, Number.MAX_SAFE_INTEGER).error === undefined)
  );
};

function isGrpcWeb(headers: IncomingHttpHeaders): boolean {
  const timeout = headers["grpc-timeout"]?.toString();
  return (
    isIdentity(headers["grpc-encoding"]) &&
    (timeout === undefined || parseGrpcTimeout(timeout, Number.MAX_SAFE_INTEGER).error === undefined)
  );
}

const endStream = createEndStreamSerialization(undefined);
const okTrailer = encodeEnvelope(trailerFlag, trailerSerialize(new Headers({ [headerGrpcStatus]: grpcStatusOk })));

const connectUnary: LeanUnary = {
  enveloped: false,
  isPlain: isConnect("content-encoding"),
  answer(response, message) {
    response.writeHead(200, { "content-length": String(message.length), "content-type": contentTypeUnaryProto });
    response.end(message);
  },
};

const connectStream: LeanStream = {
  enveloped: true,
  isPlain: isConnect("connect-content-encoding"),
  contentType: contentTypeStreamProto,
  endOf: (error) =>
    encodeEnvelope(endStreamFlag, endStream.serialize({ metadata: new Headers(), error: toConnectError(error) })),
};

const grpcWeb: LeanUnary & LeanStream = {
  enveloped: true,
  isPlain: isGrpcWeb,
  contentType: contentTypeGrpcWeb,
  answer(response, message) {
    response.writeHead(200, { "content-type": contentTypeGrpcWeb });
    response.end(Buffer.concat([envelopeHeader(message.length), message, okTrailer]));
  },
  endOf(error) {
    const trailer = setTrailerStatus(new Headers(), toConnectError(error));
    return encodeEnvelope(trailerFlag, trailerSerialize(trailer));
  },
};

const grpcWebTypes: [string, typeof grpcWeb][] = [
  [contentTypeGrpcWeb, grpcWeb],
  ["application/grpc-web", grpcWeb],
];

/** Protocols of unary calls by content type. */
export const leanUnaries: ReadonlyMap<string, LeanUnary> = new Map([
  [contentTypeUnaryProto, connectUnary],
  ...grpcWebTypes,
]);

/** Protocols of streams by content type. */
export const leanStreams: ReadonlyMap<string, LeanStream> = new Map([
  [contentTypeStreamProto, connectStream],
  ...grpcWebTypes,
]);
