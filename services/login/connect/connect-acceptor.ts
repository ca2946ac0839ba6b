import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  EdgeService,
  ListeningSchema,
  type OpenUdpResponse,
  type SendFrameRequest,
  SendFrameRequestSchema,
} from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import type { PacketBatch } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { toConnectError } from "@chappe/mesh/rpc/connect-errors.ts";
import { eventAddress } from "@chappe/mesh/rpc/event-address.ts";
import type { TokenClaims, TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import { createTrustedProxies } from "@chappe/mesh/rpc/trusted-proxies.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { createContextKey, createContextValues, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { LoginDoor } from "../login-door.ts";
import { pushPacket } from "../session-packets.ts";
import { ListenTransport } from "./listen-transport.ts";

/** What acceptConnect needs. */
export interface ConnectAcceptorOptions {
  readonly login: LoginDoor;
  readonly verifier: TokenVerifier;
  readonly validator: RequestValidator;
  /** Makes UDP sessions possible. @default OpenUdp answers UNAVAILABLE */
  readonly openUdp?: (claims: TokenClaims) => Omit<OpenUdpResponse, "$typeName" | "$unknown">;
  /** Proxies whose X-Forwarded-For is taken. @default none */
  readonly trustedProxies?: readonly string[];
}

/** Answers the calls of EdgeService, over Connect and gRPC-web. */
export interface ConnectAcceptor {
  /** False when the request is for somebody else. */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
}

const keyBytes = 32;
const prefix = `/${EdgeService.typeName}/`;
const listening = eventAddress(ListeningSchema);
const bearer = /^Bearer ([A-Za-z0-9._-]{1,2048})$/;

interface HttpCall {
  readonly client: string;
  readonly response: ServerResponse | undefined;
}
const callKey = createContextKey<HttpCall>({ client: "", response: undefined }, { description: "HTTP call" });

const textOf = (key: Uint8Array): string => Buffer.from(key).toString("base64");

/** One Listen stream, findable by its key while it lasts. */
async function* listen(
  login: LoginDoor,
  transports: Map<string, ListenTransport>,
  { client, response }: HttpCall,
): AsyncGenerator<PacketBatch> {
  const ticket = login.admit(client);
  if (ticket instanceof ChappeError) throw toConnectError(ticket);
  const transport = new ListenTransport(login, ticket, () => response?.destroy());
  const key = new Uint8Array(randomBytes(keyBytes));
  transports.set(textOf(key), transport);
  const onClosed = (): void => {
    transports.delete(textOf(key));
    transport.onClosed();
  };
  response?.once("close", onClosed);
  if (response?.destroyed === true) onClosed();
  const event = create(ListeningSchema, { connectionKey: key });
  transport.greet(pushPacket(listening.svid, listening.cmd, toBinary(ListeningSchema, event)));
  try {
    yield* transport.batches();
  } finally {
    onClosed();
  }
}

function createImpl(options: ConnectAcceptorOptions): Partial<ServiceImpl<typeof EdgeService>> {
  const { login, verifier, validator, openUdp } = options;
  const transports = new Map<string, ListenTransport>();
  return {
    listen: (_request, context) => listen(login, transports, context.values.get(callKey)),
    async sendFrame(request: SendFrameRequest) {
      try {
        validator.validate(SendFrameRequestSchema, request);
        const transport = transports.get(textOf(request.connectionKey));
        if (transport === undefined) throw new ChappeError("NOT_FOUND", "connection_key: there is no such connection");
        const repeated = transport.take(request.sequence, request.frame);
        return { nextSequence: transport.nextSequence, repeated };
      } catch (error) {
        throw toConnectError(error);
      }
    },
    async openUdp(_request, context) {
      try {
        if (openUdp === undefined) throw new ChappeError("UNAVAILABLE", "There is no UDP here.");
        const token = bearer.exec(context.requestHeader.get("authorization") ?? "")?.[1];
        if (token === undefined) throw new ChappeError("UNAUTHENTICATED");
        return openUdp(await verifier.verify(token));
      } catch (error) {
        throw toConnectError(error);
      }
    },
  };
}

/** Takes sessions over the HTTP edge: server streams down, unary calls up. They end with Login or their connection. */
export function acceptConnect(options: ConnectAcceptorOptions): ConnectAcceptor {
  const { login, trustedProxies = [] } = options;
  const proxies = createTrustedProxies(trustedProxies);
  const impl = createImpl(options);
  const calls = new WeakMap<IncomingMessage, HttpCall>();
  const answer = connectNodeAdapter({
    grpc: false,
    // Answers are small or a stream of frames that must not wait for a compressor.
    acceptCompression: [],
    readMaxBytes: login.limits.maxSendFrameBytes,
    routes: (router) => router.service(EdgeService, impl),
    contextValues: (request) => createContextValues().set(callKey, calls.get(request as IncomingMessage)!),
  });
  return {
    serve(request, response) {
      if (request.url?.startsWith(prefix) !== true) return false;
      const forwardedFor = request.headers["x-forwarded-for"]?.toString();
      const client = proxies.clientOf(request.socket.remoteAddress ?? "", forwardedFor);
      calls.set(request, { client, response });
      answer(request, response);
      return true;
    },
  };
}
