import { create, type DescService, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { ChappeError } from "../errors/chappe-error.ts";
import { authorize } from "./authorize.ts";
import type { Backend, Call } from "./call.ts";
import { CallContext } from "./call-context.ts";
import { toChappeError } from "./connect-errors.ts";
import { type MethodContract, svidOf } from "./contracts.ts";
import { methodContractsOf } from "./method-contracts.ts";
import type { RequestValidator } from "./validator.ts";

/** What createServiceBackend needs besides the implementation. */
export interface ServiceBackendOptions {
  readonly validator: RequestValidator;
  /** Told of each INTERNAL error with its cause, for the operator's log. @default nobody is told */
  readonly onInternalError?: (error: ChappeError, method: string) => void;
}

type Handler = (request: Message, context: HandlerContext) => unknown;

interface BoundMethod {
  readonly contract: MethodContract;
  readonly handler: Handler;
}

function bindMethods(service: DescService, impl: object): Map<number, BoundMethod> {
  const methods = new Map<number, BoundMethod>();
  for (const contract of methodContractsOf(service)) {
    const { method } = contract;
    const name = `${service.typeName}.${method.name}`;
    if (method.methodKind !== "unary") throw new Error(`${name}: a ${method.methodKind} method cannot be served here`);
    const handler: unknown = Reflect.get(impl, method.localName);
    if (typeof handler !== "function") throw new Error(`${name} is not implemented`);
    methods.set(contract.cmd, { contract, handler: handler.bind(impl) as Handler });
  }
  return methods;
}

function decode({ contract }: BoundMethod, payload: Uint8Array): Message {
  try {
    return fromBinary(contract.method.input, payload);
  } catch (error) {
    throw new ChappeError("MALFORMED_PAYLOAD", undefined, { cause: error });
  }
}

async function invoke(bound: BoundMethod, call: Call, validator: RequestValidator): Promise<Uint8Array> {
  const { method, auth } = bound.contract;
  authorize(auth, call.identity);
  const request = decode(bound, call.payload);
  validator.validate(method.input, request);
  const context = new CallContext(method, call);
  try {
    const response = (await bound.handler(request, context)) as Message;
    return toBinary(method.output, create(method.output, response));
  } finally {
    context.finish();
  }
}

/**
 * Serves an implementation of a service as the backend of its SVID: decodes, checks the auth level and the rules of
 * the contract, calls, encodes. Throws at once when a method is missing or is not unary.
 */
export function createServiceBackend<Service extends DescService>(
  service: Service,
  impl: ServiceImpl<Service>,
  options: ServiceBackendOptions,
): Backend {
  const { validator, onInternalError } = options;
  const methods = bindMethods(service, impl);
  return {
    svid: svidOf(service),
    async handle(call) {
      const bound = methods.get(call.cmd);
      if (bound === undefined) throw new ChappeError("UNKNOWN_METHOD");
      try {
        return await invoke(bound, call, validator);
      } catch (error) {
        const chappeError = toChappeError(error);
        if (chappeError.row.name === "INTERNAL")
          onInternalError?.(chappeError, `${service.typeName}.${bound.contract.method.name}`);
        throw chappeError;
      }
    },
  };
}
