import { create, type DescMethod, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DeliverResponseSchema, LoginService } from "@chappe/gen/proto/chappe/edge/v1/login_service_pb.ts";
import {
  type EmitRequest,
  EmitRequestSchema,
  EmitResponseSchema,
  RegistryService,
} from "@chappe/gen/proto/chappe/mesh/v1/registry_service_pb.ts";
import {
  PublishBatchRequestSchema,
  PublishRequestSchema,
  PushService,
} from "@chappe/gen/proto/chappe/push/v1/push_service_pb.ts";
import { encodeDeliveries } from "@chappe/mesh/codec/event-deliveries.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { type Call, noBytes, type Router } from "@chappe/mesh/rpc/call.ts";
import { type NamedConnection, parseConnectionName } from "@chappe/mesh/rpc/connection-name.ts";
import { bearerOf, createUnaryCalls, deadlineOf } from "@chappe/mesh/rpc/grpc-unary.ts";
import { internalIdentity } from "@chappe/mesh/rpc/identity.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import { methodContractOf } from "@chappe/mesh/rpc/method-contracts.ts";
import type { Server } from "@grpc/grpc-js";
import type { BackendIdentities } from "./backend-identities.ts";

/** What addBackendEvents needs. */
export interface BackendEventsOptions {
  readonly router: Router;
  readonly identities: BackendIdentities;
}

type UnaryCalls = ReturnType<typeof createUnaryCalls>;
type Check = (svid: number) => void;
type Handler = (request: Uint8Array, check: Check, deadlineMs: number) => Promise<Uint8Array>;

function addressOf(method: DescMethod): { svid: number; cmd: number } {
  const { svid, cmd } = methodContractOf(method);
  return { svid, cmd };
}

function decode<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new ChappeError("MALFORMED_PAYLOAD", undefined, { cause });
  }
}

function connectionOf({ connection }: EmitRequest): NamedConnection {
  const named = parseConnectionName(connection);
  if (named === undefined) throw invalidArgument("connection", "pattern", "is not as chappe-connection had it");
  return named;
}

const internal = { identity: internalIdentity, affinity: noBytes, traceContext: noBytes } as const;

function createEmit(router: Router): Handler {
  const address = addressOf(LoginService.method.deliver);
  return async (bytes, check, deadlineMs) => {
    const request = decode(() => fromBinary(EmitRequestSchema, bytes));
    const { svid, cmd, payload } = request;
    check(svid);
    const { loginId: target, connectionId } = connectionOf(request);
    if (cmd < 1 || cmd > 0xffff) throw invalidArgument("cmd", "range", "is not 1 to 65535");
    if (payload.byteLength > limits.maxBackendEventBytes)
      throw invalidArgument("payload", "max_len", `is over ${limits.maxBackendEventBytes} bytes`);
    const deliveries = encodeDeliveries([{ connectionIds: [connectionId], svid, cmd, payload }]);
    const answer = await router.call({ ...address, ...internal, payload: deliveries, target, deadlineMs }).then(
      (response) => fromBinary(DeliverResponseSchema, response).goneConnectionIds.length > 0,
      (error: unknown) => {
        if (ChappeError.is(error, "INSTANCE_GONE")) return true;
        throw error;
      },
    );
    return toBinary(EmitResponseSchema, create(EmitResponseSchema, { gone: answer }));
  };
}

function createPublish(router: Router, name: "publish" | "publishBatch"): Handler {
  const address = addressOf(PushService.method[name]);
  return async (payload, check, deadlineMs) => {
    const events = decode(() =>
      name === "publish"
        ? [fromBinary(PublishRequestSchema, payload)]
        : fromBinary(PublishBatchRequestSchema, payload).events,
    );
    for (const { svid } of events) check(svid);
    const call: Call = { ...address, ...internal, payload, deadlineMs };
    return router.call(call);
  };
}

/** Ends connections of clients, for identities that may. */
function addKick({ router, identities }: BackendEventsOptions, calls: UnaryCalls, server: Server): void {
  const address = addressOf(PushService.method.kick);
  calls.serve(server, `/${PushService.typeName}/${PushService.method.kick.name}`, async (call) => {
    const { metadata, request } = call;
    identities.checkKick(String(metadata.get("chappe-identity")[0] ?? ""), bearerOf(metadata) ?? "");
    return router.call({ ...address, ...internal, payload: request, deadlineMs: deadlineOf(call) });
  });
}

/**
 * Serves, on a gRPC server, what registered services send to clients: RegistryService.Emit and PushService. They need
 * an identity with its secret, and send events of the SVIDs only that it may serve; to kick it has to be allowed.
 */
export function addBackendEvents(server: Server, options: BackendEventsOptions): void {
  const { router, identities } = options;
  const calls = createUnaryCalls();
  const add = (path: string, handler: Handler): void => {
    calls.serve(server, path, async (call) => {
      const { metadata, request } = call;
      const identity = String(metadata.get("chappe-identity")[0] ?? "");
      const check: Check = (svid) => identities.check(identity, bearerOf(metadata) ?? "", svid);
      return handler(request, check, deadlineOf(call));
    });
  };
  add(`/${RegistryService.typeName}/${RegistryService.method.emit.name}`, createEmit(router));
  add(`/${PushService.typeName}/${PushService.method.publish.name}`, createPublish(router, "publish"));
  add(`/${PushService.typeName}/${PushService.method.publishBatch.name}`, createPublish(router, "publishBatch"));
  addKick(options, calls, server);
}
