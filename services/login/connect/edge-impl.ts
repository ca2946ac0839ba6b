import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type EdgeService,
  type OpenUdpResponse,
  type SendFrameRequest,
  SendFrameRequestSchema,
} from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import type { PacketBatch } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { toConnectError } from "@chappe/mesh/rpc/connect-errors.ts";
import type { TokenClaims, TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { createContextKey, type ServiceImpl } from "@connectrpc/connect";
import { LibraryListen } from "./library-listen.ts";
import { type ListenContext, transportOf } from "./listen-transport.ts";

/** What createEdgeImpl needs. */
export interface EdgeImplOptions {
  readonly context: ListenContext;
  readonly verifier: TokenVerifier;
  readonly validator: RequestValidator;
  /** Makes UDP sessions possible. @default OpenUdp answers UNAVAILABLE */
  readonly openUdp?: (claims: TokenClaims) => Omit<OpenUdpResponse, "$typeName" | "$unknown">;
}

/** A request to EdgeService. */
export interface EdgeCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Address of the client. */
  readonly client: string;
}

const bearer = /^Bearer ([A-Za-z0-9._-]{1,2048})$/;

/** Where the implementation finds the HTTP call. */
export const edgeCallKey = createContextKey<EdgeCall | undefined>(undefined, { description: "HTTP call" });

/** One Listen stream, findable by its key while it lasts. */
async function* listen(context: ListenContext, { client, response }: EdgeCall): AsyncGenerator<PacketBatch> {
  const ticket = context.login.admit(client);
  if (ticket instanceof ChappeError) throw toConnectError(ticket);
  const transport = new LibraryListen(context, ticket, response);
  response.once("close", () => transport.onClosed());
  if (response.destroyed) transport.onClosed();
  else transport.greet();
  try {
    yield* transport.batches();
  } finally {
    transport.onClosed();
  }
}

/** EdgeService for the RPC library; each call has its `edgeCallKey`. */
export function createEdgeImpl(options: EdgeImplOptions): Partial<ServiceImpl<typeof EdgeService>> {
  const { context, verifier, validator, openUdp } = options;
  return {
    listen: (_request, { values }) => listen(context, values.get(edgeCallKey)!),
    async sendFrame(request: SendFrameRequest) {
      try {
        validator.validate(SendFrameRequestSchema, request);
        const transport = transportOf(context, request.connectionKey);
        if (transport === undefined) throw new ChappeError("NOT_FOUND", "connection_key: there is no such connection");
        const repeated = transport.take(request.sequence, request.frame);
        return { nextSequence: BigInt(transport.nextSequence), repeated };
      } catch (error) {
        throw toConnectError(error);
      }
    },
    async openUdp(_request, { requestHeader }) {
      try {
        if (openUdp === undefined) throw new ChappeError("UNAVAILABLE", "There is no UDP here.");
        const token = bearer.exec(requestHeader.get("authorization") ?? "")?.[1];
        if (token === undefined) throw new ChappeError("UNAUTHENTICATED");
        return openUdp(await verifier.verify(token));
      } catch (error) {
        throw toConnectError(error);
      }
    },
  };
}
