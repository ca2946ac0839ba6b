import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Transport, UnaryResponse } from "@connectrpc/connect";
import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";
import { type Call, noBytes, type Router } from "./call.ts";
import type { MethodContract } from "./contracts.ts";
import { internalIdentity } from "./identity.ts";
import { methodContractsOf } from "./method-contracts.ts";

const noHeaders = new Headers();

function createContractLookup(): (method: DescMethod) => MethodContract {
  const known = new Map<DescMethod, MethodContract>();
  return (method) => {
    if (!known.has(method))
      for (const contract of methodContractsOf(method.parent)) known.set(contract.method, contract);
    const contract = known.get(method);
    if (contract === undefined) throw new Error(`${method.parent.typeName}.${method.name} has no address`);
    return contract;
  };
}

function affinityOf(contract: MethodContract, message: MessageShape<DescMessage>): Uint8Array {
  if (contract.affinity === "") return noBytes;
  const field = contract.method.input.fields.find(({ name }) => name === contract.affinity);
  const value: unknown = field === undefined ? undefined : Reflect.get(message, field.localName);
  if (typeof value === "string") return Buffer.from(value, "utf8");
  return value instanceof Uint8Array ? value : noBytes;
}

/**
 * Connect transport of modules that call each other: `createClient(PushService, createRouteTransport(router))`. Calls
 * carry the internal identity, reject with ChappeError, and end by `timeoutMs` (10 s unless given, 60 s at most).
 * Unary methods only.
 */
export function createRouteTransport(router: Router): Transport {
  const contractOf = createContractLookup();
  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      _header: HeadersInit | undefined,
      input: MessageInitShape<I>,
    ): Promise<UnaryResponse<I, O>> {
      const contract = contractOf(method);
      const request = create(method.input, input);
      const waitMs = Math.min(timeoutMs ?? limits.defaultCallTimeoutMs, limits.maxCallTimeoutMs);
      const call: Call = {
        svid: contract.svid,
        cmd: contract.cmd,
        payload: toBinary(method.input, request),
        identity: internalIdentity,
        affinity: affinityOf(contract, request),
        deadlineMs: Date.now() + waitMs,
        traceContext: noBytes,
        ...(signal === undefined ? {} : { signal }),
      };
      const message = fromBinary(method.output, await router.call(call));
      return { stream: false, service: method.parent, method, header: noHeaders, trailer: noHeaders, message };
    },
    async stream() {
      throw new ChappeError("UNKNOWN_METHOD", "Streaming methods are not routed");
    },
  };
}
