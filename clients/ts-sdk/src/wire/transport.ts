import {
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor, type Transport, type UnaryResponse } from "@connectrpc/connect";
import { runUnaryCall } from "@connectrpc/connect/protocol";
import { ChappeClientError } from "../client-error.ts";
import { type MethodAddress, methodAddress } from "./addresses.ts";
import type { RawCall } from "./connection.ts";

/** Where the transport's calls go. */
export interface TransportOptions {
  /** Sends a call, on the next connection when there is none now. `repeatable` = may be sent again after a loss. */
  readonly call: (call: RawCall, repeatable: boolean) => Promise<Uint8Array>;
  /** @default limits.callTimeoutMs */
  readonly defaultTimeoutMs: number;
  readonly interceptors?: readonly Interceptor[] | undefined;
}

/**
 * A Connect Transport over the socket: `createClient(AnyService, transport)` works as over HTTP. Unary only. Headers do
 * not travel, except `traceparent`. Errors are ConnectErrors with a chappe.mesh.v1.ErrorDetail.
 */
export function createSocketTransport(options: TransportOptions): Transport {
  const addresses = new Map<DescMethodUnary, MethodAddress>();
  const addressOf = (method: DescMethodUnary): MethodAddress => {
    const known = addresses.get(method) ?? methodAddress(method);
    if (known === undefined)
      throw new ConnectError(`${method.parent.typeName}.${method.name} has no (SVID, CMD)`, Code.Unimplemented);
    addresses.set(method, known);
    return known;
  };
  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: MessageInitShape<I>,
      contextValues?: Parameters<Transport["unary"]>[5],
    ): Promise<UnaryResponse<I, O>> {
      const address = addressOf(method);
      const limitMs = timeoutMs ?? options.defaultTimeoutMs;
      const req = {
        stream: false as const,
        service: method.parent,
        method,
        requestMethod: "POST",
        url: `socket:/${method.parent.typeName}/${method.name}`,
        header: new Headers(header),
        contextValues: contextValues as NonNullable<typeof contextValues>,
        message: input,
      };
      return await runUnaryCall<I, O>({
        req,
        timeoutMs: limitMs,
        ...(signal === undefined ? {} : { signal }),
        interceptors: [...(options.interceptors ?? [])],
        next: async (request) => {
          const trace = request.header.get("traceparent");
          const call: RawCall = {
            svid: address.svid,
            cmd: address.cmd,
            payload: toBinary(method.input, request.message),
            affinity: address.affinityOf(request.message),
            timeoutMs: limitMs,
            signal: request.signal,
            ...(trace === null ? {} : { traceContext: new TextEncoder().encode(trace) }),
          };
          const payload = await options.call(call, address.repeatable).catch(throwConnectError);
          const message = fromBinary(method.output, payload);
          const { service } = request;
          return { stream: false, service, method, header: new Headers(), trailer: new Headers(), message };
        },
      });
    },
    async stream(method) {
      const name = `${method.parent.typeName}.${method.name}`;
      throw new ConnectError(`${name} streams; the socket carries unary methods only, use HTTP`, Code.Unimplemented);
    },
  };
}

function throwConnectError(error: unknown): never {
  const cause = error instanceof ChappeClientError ? error.cause : undefined;
  // The deadline and the caller's abort come as the signal's reason, which Connect has already put into words.
  throw cause instanceof ConnectError ? cause : ChappeClientError.from(error).toConnectError();
}
