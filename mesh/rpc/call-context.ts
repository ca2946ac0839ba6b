import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type ContextValues,
  createContextValues,
  createHandlerContext,
  type HandlerContext,
} from "@connectrpc/connect";
import type { Call } from "./call.ts";
import { clientAddressKey } from "./client-address.ts";
import { identityKey } from "./identity.ts";

type FullContext = ReturnType<typeof createHandlerContext>;

/**
 * HandlerContext of a call that did not come over HTTP. Signal, timer and headers are made when a handler asks for
 * them: most never do, and they cost more than a small call itself.
 */
export class CallContext implements HandlerContext {
  readonly method: DescMethod;
  readonly values: ContextValues;
  readonly requestMethod = "POST";
  readonly protocolName = "chappe";
  readonly #call: Call;
  #full: FullContext | undefined;

  constructor(method: DescMethod, call: Call) {
    this.method = method;
    this.values = createContextValues().set(identityKey, call.identity);
    if (call.clientAddress !== undefined) this.values.set(clientAddressKey, call.clientAddress);
    this.#call = call;
  }

  get service(): DescService {
    return this.method.parent;
  }
  get url(): string {
    return `chappe:/${this.method.parent.typeName}/${this.method.name}`;
  }
  get signal(): AbortSignal {
    return this.#fullContext().signal;
  }
  get requestHeader(): Headers {
    return this.#fullContext().requestHeader;
  }
  get responseHeader(): Headers {
    return this.#fullContext().responseHeader;
  }
  get responseTrailer(): Headers {
    return this.#fullContext().responseTrailer;
  }

  readonly timeoutMs = (): number => this.#call.deadlineMs - Date.now();

  /** Ends the signal and its timer, when there are any. */
  finish(): void {
    this.#full?.abort();
  }

  #fullContext(): FullContext {
    this.#full ??= createHandlerContext({
      service: this.service,
      method: this.method,
      protocolName: this.protocolName,
      requestMethod: this.requestMethod,
      url: this.url,
      timeoutMs: Math.max(0, this.timeoutMs()),
      contextValues: this.values,
      ...(this.#call.signal === undefined ? {} : { requestSignal: this.#call.signal }),
    });
    return this.#full;
  }
}
