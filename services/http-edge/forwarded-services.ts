import { type DescService, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { AuthLevel } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { noBytes, type Router } from "@chappe/mesh/rpc/call.ts";
import { clientAddressKey } from "@chappe/mesh/rpc/client-address.ts";
import type { Contracts, MethodContract } from "@chappe/mesh/rpc/contracts.ts";
import { identityKey } from "@chappe/mesh/rpc/identity.ts";
import { methodContractsOf } from "@chappe/mesh/rpc/method-contracts.ts";
import { clientContextOf } from "@chappe/mesh/telemetry/client-context.ts";
import type { HandlerContext } from "@connectrpc/connect";
import type { EdgeService } from "./rpc-handler.ts";

type Handler = (request: Message, context: HandlerContext) => Promise<Message>;

function forward({ svid, cmd, method }: MethodContract, router: Router): Handler {
  return async (request, context) => {
    const waitMs = Math.min(context.timeoutMs() ?? limits.defaultCallTimeoutMs, limits.maxCallTimeoutMs);
    const answer = await router.call({
      svid,
      cmd,
      payload: toBinary(method.input, request),
      identity: context.values.get(identityKey),
      affinity: noBytes,
      deadlineMs: Date.now() + waitMs,
      traceContext: clientContextOf((name) => context.requestHeader.get(name)),
      clientAddress: context.values.get(clientAddressKey),
      signal: context.signal,
    });
    return fromBinary(method.output, answer);
  };
}

const isForClients = (service: DescService): boolean =>
  methodContractsOf(service).some(({ auth, method }) => auth !== AuthLevel.INTERNAL && method.methodKind === "unary");

/** Every service that clients may call, answered by whoever serves it behind `router`; but those of `except`. */
export function forwardedServices(contracts: Contracts, router: Router, except: readonly DescService[]): EdgeService[] {
  return [...contracts.services.values()]
    .filter((service) => !except.includes(service) && isForClients(service))
    .filter((service) => service.methods.every(({ methodKind }) => methodKind === "unary"))
    .map((service) => ({
      service,
      impl: Object.fromEntries(
        methodContractsOf(service).map((contract) => [contract.method.localName, forward(contract, router)]),
      ),
    }));
}
