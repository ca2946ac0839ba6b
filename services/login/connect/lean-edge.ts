import { EdgeService } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { decodeSendFrameRequest, encodeSendFrameResponse } from "@chappe/mesh/codec/edge-stream.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { EdgeCall } from "./edge-impl.ts";
import { envelopeHeaderBytes, onlyMessageOf } from "./envelope.ts";
import { LeanListen } from "./lean-listen.ts";
import { type LeanProtocol, type LeanStream, type LeanUnary, leanStreams, leanUnaries } from "./lean-protocols.ts";
import type { LibraryEdge } from "./library-edge.ts";
import { type ListenContext, transportOf } from "./listen-transport.ts";
import { readWhole } from "./read-whole.ts";

/** Listen and SendFrame in the binary codecs, without the RPC library: each connection and each frame is such a call. */
export interface LeanEdge {
  /** False when only the library can serve the request; nothing of it has been read then. */
  serve(call: EdgeCall): boolean;
}

/** What createLeanEdge needs. */
export interface LeanEdgeOptions {
  readonly context: ListenContext;
  /** Answers what turns out to be no plain call, and tells all errors of SendFrame. */
  readonly library: LibraryEdge;
}

const sendFramePath = `/${EdgeService.typeName}/${EdgeService.method.sendFrame.name}`;
const listenPath = `/${EdgeService.typeName}/${EdgeService.method.listen.name}`;

/** Applies a frame and answers; false when the request is not as it should be, and nothing has been done then. */
function sendFrame(
  context: ListenContext,
  { response }: EdgeCall,
  { answer }: LeanUnary,
  message: Uint8Array,
): boolean {
  const request = decodeSendFrameRequest(message);
  // The rules of the contract, for requests that keep them: keys that are known have the length that they must have.
  if (request === undefined || request.sequence === 0) return false;
  if (request.frame.length > context.login.limits.maxFrameBytes) return false;
  const transport = transportOf(context, request.connectionKey);
  if (transport === undefined || request.sequence > transport.nextSequence) return false;
  const repeated = transport.take(request.sequence, request.frame);
  answer(response, encodeSendFrameResponse(transport.nextSequence, repeated));
  return true;
}

function listen(context: ListenContext, { response, client }: EdgeCall, protocol: LeanStream): void {
  if (response.destroyed) return;
  const ticket = context.login.admit(client);
  response.writeHead(200, { "content-type": protocol.contentType });
  if (ticket instanceof ChappeError) {
    response.end(protocol.endOf(ticket));
    return;
  }
  const transport = new LeanListen(context, ticket, response, protocol);
  response.once("close", () => transport.onClosed());
  transport.greet();
}

/** Makes it. */
export function createLeanEdge({ context, library }: LeanEdgeOptions): LeanEdge {
  const { maxSendFrameBytes } = context.login.limits;
  const read = ({ enveloped }: LeanProtocol, call: EdgeCall, serve: (message: Buffer) => boolean): boolean => {
    const maxBytes = maxSendFrameBytes + (enveloped ? envelopeHeaderBytes : 0);
    if (Number(call.request.headers["content-length"] ?? 0) > maxBytes) return false;
    const onWhole = (body: Buffer): void => {
      const message = enveloped ? onlyMessageOf(body) : body;
      if (message === undefined || !serve(message)) library.serve(call, body);
    };
    readWhole(call.request, { maxBytes, onWhole, onMore: () => library.serve(call) });
    return true;
  };
  return {
    serve(call) {
      const { url, method, headers } = call.request;
      if (method !== "POST") return false;
      const type = headers["content-type"] ?? "";
      if (url === sendFramePath) {
        const protocol = leanUnaries.get(type);
        if (protocol?.isPlain(headers) !== true) return false;
        return read(protocol, call, (message) => sendFrame(context, call, protocol, message));
      }
      const protocol = url === listenPath ? leanStreams.get(type) : undefined;
      if (protocol?.isPlain(headers) !== true) return false;
      return read(protocol, call, (message) => {
        if (message.length > 0) return false;
        listen(context, call, protocol);
        return true;
      });
    },
  };
}
