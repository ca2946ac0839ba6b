import type { IncomingMessage, ServerResponse } from "node:http";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { AuthLevel } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { clientAddressKey } from "@chappe/mesh/rpc/client-address.ts";
import type { MethodContract } from "@chappe/mesh/rpc/contracts.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import { methodContractsOf } from "@chappe/mesh/rpc/method-contracts.ts";
import { createTrustedProxies, type TrustedProxies } from "@chappe/mesh/rpc/trusted-proxies.ts";
import { createConnectRouter, createContextValues } from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import {
  createEdgeGate,
  createEdgeInterceptor,
  type EdgeCall,
  type EdgeRulesOptions,
  edgeCallKey,
  errorOfSignal,
  timeoutError,
  untoldError,
} from "./edge-calls.ts";
import { discardBody, readBody } from "./request-body.ts";

/** One service and its implementation; unary methods only. */
export interface EdgeService {
  readonly service: DescService;
  readonly impl: object;
}

/** What createRpcHandler needs besides the services. */
export interface RpcHandlerOptions extends Omit<EdgeRulesOptions, "contracts"> {
  /** Proxies whose X-Forwarded-For is taken. @default none */
  readonly trustedProxies?: readonly string[];
}

/** Answers RPC requests in the protocol they came in. */
export interface RpcHandler {
  /** Whether the path is that of a method, ours or not. */
  isRpc(path: string): boolean;
  /** Answers; never rejects. `expectsContinue` = the client waits for leave to send its body. */
  serve(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void>;
}

type Universal = ReturnType<typeof createConnectRouter>["handlers"][number];
type UniversalRequest = Parameters<Universal>[0];
type UniversalResponse = Awaited<ReturnType<Universal>>;

const rpcPath = /^\/[A-Za-z_][\w.]*\.[A-Z]\w*\/[A-Z]\w*$/;

interface Refusal {
  readonly error: ChappeError;
  /** HTTP status when it is not the one that the protocol gives the error. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The request names no protocol that could carry the error: tell it as Connect JSON. */
  readonly asJson?: boolean;
}

function bodyBoundOf({ auth, method }: MethodContract): number {
  if (auth === AuthLevel.PUBLIC) return limits.maxHttpPublicBodyBytes;
  if (method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return limits.maxHttpReadBodyBytes;
  return limits.maxHttpMessageBytes;
}

/** Why a request cannot be a call of the method, judged by its first line and its content type. */
function refusalOf(handler: Universal | undefined, request: IncomingMessage, fallback: Universal): Refusal | undefined {
  const { supportedContentType, allowedMethods } = handler ?? fallback;
  const type = request.headers["content-type"] ?? "";
  const isGet = request.method === "GET";
  const typed = (isGet && type === "") || (supportedContentType(type) && !/^application\/connect\+/i.test(type));
  const asJson = isGet || !typed || request.method !== "POST";
  if (handler === undefined) return { error: new ChappeError("UNKNOWN_METHOD"), status: 404, asJson };
  if (!allowedMethods.includes(request.method ?? "")) {
    const error = new ChappeError("UNKNOWN_METHOD", `this method takes ${allowedMethods.join(" and ")} only`);
    return { error, status: 405, headers: { allow: allowedMethods.join(", ") }, asJson };
  }
  if (typed) return undefined;
  const accepted = "application/json, application/proto, application/grpc-web+proto, application/grpc-web+json";
  const error = invalidArgument("content-type", "in", `is not one of ${accepted}`);
  return { error, status: 415, headers: { "accept-post": accepted }, asJson };
}

function tooMany(): Refusal {
  return { error: new ChappeError("OVERLOADED", undefined, { retryAfterMs: limits.overloadRetryAfterMs }) };
}

function contractsOf(services: readonly EdgeService[]): Map<DescMethod, MethodContract> {
  const contracts = services.flatMap(({ service }) => methodContractsOf(service));
  // What the contract does not open to clients is not served: an internal method looks like one that does not exist.
  const open = contracts.filter(({ auth }) => auth !== AuthLevel.INTERNAL);
  return new Map(open.map((contract) => [contract.method, contract]));
}

class Handler implements RpcHandler {
  readonly #handlers = new Map<string, Universal>();
  readonly #contracts: ReadonlyMap<DescMethod, MethodContract>;
  readonly #any: Universal;
  readonly #proxies: TrustedProxies;
  #inFlight = 0;

  constructor(services: readonly EdgeService[], options: RpcHandlerOptions) {
    this.#contracts = contractsOf(services);
    this.#proxies = createTrustedProxies(options.trustedProxies ?? []);
    const rules = { ...options, contracts: this.#contracts };
    const router = createConnectRouter({
      grpc: false,
      acceptCompression: [compressionGzip, compressionBrotli],
      interceptors: [createEdgeInterceptor(rules)],
      requestGate: createEdgeGate(rules),
      readMaxBytes: limits.maxHttpMessageBytes,
      writeMaxBytes: limits.maxHttpMessageBytes,
      maxTimeoutMs: limits.maxCallTimeoutMs,
    });
    for (const { service, impl } of services) router.service(service, impl);
    for (const handler of router.handlers)
      if (this.#contracts.has(handler.method)) this.#handlers.set(handler.requestPath, handler);
    const [any] = this.#handlers.values();
    if (any === undefined) throw new Error("the edge has no method to serve");
    this.#any = any;
  }

  isRpc(path: string): boolean {
    return rpcPath.test(path);
  }

  async serve(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    this.#inFlight++;
    // Not after #serve: the library waits for an event that node:http never sends, so its promise stays open.
    response.once("close", () => this.#inFlight--);
    try {
      await this.#serve(request, response, expectsContinue);
    } catch {
      // The answer could not be written: the client is gone.
      response.destroy();
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const handler = this.#handlers.get(request.url!.split("?", 1)[0]!);
    let refusal = refusalOf(handler, request, this.#any);
    if (this.#inFlight > limits.maxHttpCallsInFlight) refusal ??= tooMany();
    const incoming = universalRequestFromNodeRequest(request, response, undefined, undefined);
    const badTimeout = timeoutError(incoming.header);
    if (badTimeout !== undefined) refusal ??= { error: badTimeout };
    const answer =
      refusal === undefined
        ? await this.#call(handler!, incoming, request, () => expectsContinue && response.writeContinue())
        : await this.#refuse(handler ?? this.#any, incoming, refusal);
    if (!request.complete) {
      if (expectsContinue && !request.readableDidRead) response.setHeader("connection", "close");
      else discardBody(request, response);
    }
    await universalResponseToNodeResponse(answer, response);
  }

  async #call(
    handler: Universal,
    incoming: UniversalRequest,
    request: IncomingMessage,
    onRead: () => void,
  ): Promise<UniversalResponse> {
    const call: EdgeCall = {
      maxBodyBytes: bodyBoundOf(this.#contracts.get(handler.method)!),
      told: false,
      done: false,
    };
    const body = async function* (): AsyncGenerator<Uint8Array> {
      onRead();
      const { signal = incoming.signal } = call;
      yield* readBody(request, call.maxBodyBytes, signal, () => errorOfSignal(signal));
    };
    const contextValues = createContextValues().set(edgeCallKey, call).set(clientAddressKey, this.#clientOf(request));
    const header = withDeadline(incoming.header);
    const answer = await handler({ ...incoming, header, body: body(), contextValues });
    const error = call.done && answer.status === 200 && !isGrpcWeb(header) ? undefined : untoldError(call);
    if (error === undefined) return answer;
    void answer.body?.[Symbol.asyncIterator]().return?.();
    return this.#refuse(handler, incoming, { error });
  }

  #clientOf({ socket, headers }: IncomingMessage): string {
    return this.#proxies.clientOf(socket.remoteAddress ?? "", headers["x-forwarded-for"]?.toString());
  }

  /** Has the RPC library tell an error in the protocol of the request, without reading anything of it. */
  async #refuse(handler: Universal, incoming: UniversalRequest, refusal: Refusal): Promise<UniversalResponse> {
    const call: EdgeCall = { refusal: refusal.error, maxBodyBytes: 0, told: false, done: false };
    const contextValues = createContextValues().set(edgeCallKey, call);
    const header = new Headers(incoming.header);
    for (const name of ["connect-timeout-ms", "grpc-timeout"]) header.delete(name);
    if (refusal.asJson === true) header.set("content-type", "application/json");
    const method = refusal.asJson === true ? "POST" : incoming.method;
    const answer = await handler({ ...incoming, method, header, body: noBody(), contextValues });
    for (const [name, value] of Object.entries(refusal.headers ?? {})) answer.header?.set(name, value);
    return refusal.status === undefined || answer.status === 200 ? answer : { ...answer, status: refusal.status };
  }
}

async function* noBody(): AsyncGenerator<Uint8Array> {}

const isGrpcWeb = (header: Headers): boolean => /^application\/grpc-web/i.test(header.get("content-type") ?? "");

/** The headers with a deadline: a call that names none gets limits.defaultCallTimeoutMs. */
function withDeadline(header: Headers): Headers {
  const [name, unit] = isGrpcWeb(header) ? ["grpc-timeout", "m"] : ["connect-timeout-ms", ""];
  if (!header.has(name!)) header.set(name!, `${limits.defaultCallTimeoutMs}${unit}`);
  return header;
}

/** Serves these services over Connect and gRPC-web. */
export function createRpcHandler(services: readonly EdgeService[], options: RpcHandlerOptions): RpcHandler {
  return new Handler(services, options);
}
