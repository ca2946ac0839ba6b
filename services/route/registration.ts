import type { Registration } from "@chappe/gen/proto/chappe/mesh/v1/registry_service_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Backend, Call } from "@chappe/mesh/rpc/call.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import { createGrpcBackend, type GrpcBackend } from "./grpc-backend.ts";
import type { ParsedContract } from "./parse-contract.ts";

const address = /^(?:[A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:]{2,39}\]):\d{1,5}$/;
const instanceId = /^[A-Za-z0-9._-]{1,64}$/;

/** Throws INVALID_ARGUMENT with the field at fault. */
export function checkRegistration(registration: Registration): void {
  if (registration.svid < 1 || registration.svid > 0xffff) throw invalidArgument("svid", "range", "is not 1 to 65535");
  if (!instanceId.test(registration.instanceId))
    throw invalidArgument("instance_id", "pattern", "is not 1 to 64 of a-z, A-Z, 0-9, '.', '_', '-'");
  if (!address.test(registration.address)) throw invalidArgument("address", "pattern", "is not host:port");
  if (registration.service.startsWith("chappe."))
    throw invalidArgument("service", "package", "names a service of Chappe's own");
}

/** A registered server: a backend that counts its calls. */
export class RegisteredServer implements Backend {
  readonly svid: number;
  readonly registration: Registration;
  readonly #grpc: GrpcBackend;
  readonly #maxInFlight: number;
  #inFlight = 0;
  #onIdle: (() => void) | undefined;

  constructor(registration: Registration, { methods }: ParsedContract) {
    const { svid, address: at, maxConcurrentCalls } = registration;
    this.svid = svid;
    this.registration = registration;
    this.#grpc = createGrpcBackend({ svid, address: at, methods });
    this.#maxInFlight = Math.min(maxConcurrentCalls || Number.POSITIVE_INFINITY, limits.maxCallsInFlightPerBackend);
  }

  async handle(call: Call): Promise<Uint8Array> {
    if (this.#inFlight >= this.#maxInFlight)
      throw new ChappeError("OVERLOADED", undefined, { retryAfterMs: limits.overloadRetryAfterMs });
    this.#inFlight++;
    try {
      return await this.#grpc.handle(call);
    } finally {
      if (--this.#inFlight === 0) this.#onIdle?.();
    }
  }

  /** Settles when no call is in hand. Every call has a deadline, so that comes. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#inFlight === 0) resolve();
      else this.#onIdle = resolve;
    });
  }

  close(): void {
    this.#grpc.close();
  }
}
