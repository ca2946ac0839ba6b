import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { EdgeService } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { SessionService } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { AuthLevel } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { createContracts, type MethodContract } from "../rpc/contracts.ts";

/** The methods of one service as a proxy treats them; names without the service. */
export interface ServiceRoutes {
  /** "chappe.msg.v1.MessageService" */
  readonly service: string;
  /** Streams that stay: no time limit, but one of silence. */
  readonly streams: readonly string[];
  /** Unary methods that may be tried again. */
  readonly idempotent: readonly string[];
  /** All other unary methods. */
  readonly once: readonly string[];
  /** Of all these, the ones that need no token at the proxy. */
  readonly open: readonly string[];
  /** Methods that no client may call. */
  readonly closed: readonly string[];
}

const { NO_SIDE_EFFECTS, IDEMPOTENT } = MethodOptions_IdempotencyLevel;

/** Methods of packets only: they have an address on long connections, and are served nowhere else. */
const onPacketsOnly: ReadonlySet<string> = new Set([SessionService.typeName]);

/** Path of Login's service for sessions over Connect and gRPC. */
export const edgeServiceName = EdgeService.typeName;

function routesOf(service: string, methods: readonly MethodContract[]): ServiceRoutes {
  const isClosed = ({ auth }: MethodContract): boolean => auth === AuthLevel.INTERNAL || onPacketsOnly.has(service);
  const names = (isOne: (contract: MethodContract) => boolean): string[] =>
    methods.filter(isOne).map(({ method }) => method.name);
  const isUnary = ({ method }: MethodContract): boolean => method.methodKind === "unary";
  const mayRepeat = ({ method }: MethodContract): boolean =>
    method.idempotency === NO_SIDE_EFFECTS || method.idempotency === IDEMPOTENT;
  return {
    service,
    streams: names((one) => !isClosed(one) && !isUnary(one)),
    idempotent: names((one) => !isClosed(one) && isUnary(one) && mayRepeat(one)),
    once: names((one) => !isClosed(one) && isUnary(one) && !mayRepeat(one)),
    open: names((one) => !isClosed(one) && one.auth === AuthLevel.PUBLIC),
    closed: names(isClosed),
  };
}

/** What the contracts say of every service, in order of its name. */
export function createRouteTable(contracts = createContracts()): ServiceRoutes[] {
  const byService = new Map<string, MethodContract[]>();
  for (const contract of contracts.methods) {
    const name = contract.method.parent.typeName;
    byService.set(name, [...(byService.get(name) ?? []), contract]);
  }
  return [...byService].sort(([a], [b]) => (a < b ? -1 : 1)).map(([service, methods]) => routesOf(service, methods));
}
