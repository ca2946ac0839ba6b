import { EdgeService } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { createConnectRouter, createContextValues } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { createEdgeImpl, type EdgeCall, type EdgeImplOptions, edgeCallKey } from "./edge-impl.ts";

/** EdgeService as the RPC library serves it: every protocol, codec and header that it knows. */
export interface LibraryEdge {
  /** Answers. `body` = all of the body when it has been read already. */
  serve(call: EdgeCall, body?: Uint8Array): void;
}

/** Makes it. */
export function createLibraryEdge(options: EdgeImplOptions): LibraryEdge {
  const router = createConnectRouter({
    grpc: false,
    // Answers are small or a stream of frames that must not wait for a compressor.
    acceptCompression: [],
    readMaxBytes: options.context.login.limits.maxSendFrameBytes,
  }).service(EdgeService, createEdgeImpl(options));
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return {
    serve(call, body) {
      const { request, response } = call;
      const handler = handlers.get(request.url!.split("?", 1)[0]!);
      if (handler === undefined) {
        response.writeHead(404).end();
        return;
      }
      const contextValues = createContextValues().set(edgeCallKey, call);
      const incoming = universalRequestFromNodeRequest(request, response, undefined, contextValues);
      handler(body === undefined ? incoming : { ...incoming, body: createAsyncIterable([body]) })
        .then((answer) => universalResponseToNodeResponse(answer, response))
        // The answer could not be written: the client is gone.
        .catch(() => response.destroy());
    },
  };
}
