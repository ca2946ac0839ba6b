import {
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
} from "@bufbuild/protobuf";
import { file_chappe_business_v1_auth_service } from "@chappe/gen/proto/chappe/business/v1/auth_service_pb.ts";
import { file_chappe_business_v1_group_service } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { file_chappe_business_v1_sync_service } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { file_chappe_business_v1_token_state_service } from "@chappe/gen/proto/chappe/business/v1/token_state_service_pb.ts";
import { file_chappe_business_v1_user_service } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { file_chappe_edge_v1_edge_stream } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { file_chappe_edge_v1_login_service } from "@chappe/gen/proto/chappe/edge/v1/login_service_pb.ts";
import { file_chappe_edge_v1_session } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { file_chappe_mesh_v1_link } from "@chappe/gen/proto/chappe/mesh/v1/link_pb.ts";
import {
  AuthLevel,
  affinity as affinityOption,
  auth,
  callers,
  cmd,
  Delivery,
  event,
  served_by as servedByOption,
  svid,
} from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { file_chappe_mesh_v1_registry_service } from "@chappe/gen/proto/chappe/mesh/v1/registry_service_pb.ts";
import { file_chappe_mesh_v1_trace_service } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { file_chappe_msg_v1_message } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { file_chappe_msg_v1_message_service } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { file_chappe_online_v1_presence_service } from "@chappe/gen/proto/chappe/online/v1/presence_service_pb.ts";
import { file_chappe_online_v1_session_registry_service } from "@chappe/gen/proto/chappe/online/v1/session_registry_service_pb.ts";
import { file_chappe_push_v1_push_service } from "@chappe/gen/proto/chappe/push/v1/push_service_pb.ts";

/** Every contract of Chappe's own. */
export const contractFiles: readonly DescFile[] = [
  file_chappe_business_v1_auth_service,
  file_chappe_business_v1_group_service,
  file_chappe_business_v1_sync_service,
  file_chappe_business_v1_token_state_service,
  file_chappe_business_v1_user_service,
  file_chappe_edge_v1_edge_stream,
  file_chappe_edge_v1_login_service,
  file_chappe_mesh_v1_link,
  file_chappe_mesh_v1_registry_service,
  file_chappe_mesh_v1_trace_service,
  file_chappe_edge_v1_session,
  file_chappe_msg_v1_message,
  file_chappe_msg_v1_message_service,
  file_chappe_online_v1_presence_service,
  file_chappe_online_v1_session_registry_service,
  file_chappe_push_v1_push_service,
];

/** A method with its address. */
export interface MethodContract {
  readonly svid: number;
  readonly cmd: number;
  readonly method: DescMethod;
  readonly auth: AuthLevel;
  /** Name of the request field that chooses the backend; empty = any. */
  readonly affinity: string;
  /** Roles that may call an internal method; empty for others. */
  readonly callers: readonly string[];
}

/** An event with its address. */
export interface EventContract {
  readonly svid: number;
  readonly cmd: number;
  readonly message: DescMessage;
  readonly atLeastOnce: boolean;
}

/** All addresses of a set of contracts. */
export interface Contracts {
  readonly services: ReadonlyMap<number, DescService>;
  /** Role whose processes serve a service of Chappe's own; undefined for others. */
  servedBy(svid: number): string | undefined;
  method(svid: number, cmd: number): MethodContract | undefined;
  event(svid: number, cmd: number): EventContract | undefined;
  readonly methods: readonly MethodContract[];
  readonly events: readonly EventContract[];
}

const addressOf = (svidNumber: number, cmdNumber: number): number => svidNumber * 0x10000 + cmdNumber;

/** SVID of a service. Throws when the contract has none. */
export function svidOf(service: DescService): number {
  const value = getOption(service, svid);
  if (value < 1 || value > 0xffff) throw new Error(`${service.typeName}: option svid is missing or out of range`);
  return value;
}

function methodContract(service: DescService, method: DescMethod): MethodContract {
  const number = getOption(method, cmd);
  if (number < 1 || number > 0xffff)
    throw new Error(`${service.typeName}.${method.name}: option cmd is missing or out of range`);
  const level = getOption(method, auth);
  return {
    svid: svidOf(service),
    cmd: number,
    method,
    auth: level === AuthLevel.UNSPECIFIED ? AuthLevel.USER : level,
    affinity: getOption(method, affinityOption),
    callers: getOption(method, callers),
  };
}

/** Reads the addresses of all services and events. Throws on a missing or a duplicate (SVID, CMD) or SVID. */
export function createContracts(files: readonly DescFile[] = contractFiles): Contracts {
  const services = new Map<number, DescService>();
  const methods = new Map<number, MethodContract>();
  const events = new Map<number, EventContract>();
  const taken = new Map<number, string>();
  const claim = (svidNumber: number, cmdNumber: number, name: string): number => {
    const address = addressOf(svidNumber, cmdNumber);
    const other = taken.get(address);
    if (other !== undefined)
      throw new Error(`(SVID ${svidNumber}, CMD ${cmdNumber}) is claimed by ${other} and by ${name}`);
    taken.set(address, name);
    return address;
  };
  for (const service of files.flatMap((file) => file.services)) {
    const number = svidOf(service);
    const other = services.get(number);
    if (other !== undefined)
      throw new Error(`SVID ${number} is claimed by ${other.typeName} and by ${service.typeName}`);
    services.set(number, service);
    for (const method of service.methods) {
      const contract = methodContract(service, method);
      methods.set(claim(number, contract.cmd, `${service.typeName}.${method.name}`), contract);
    }
  }
  for (const message of files.flatMap((file) => file.messages)) {
    if (!hasOption(message, event)) continue;
    const { svid: svidNumber, cmd: cmdNumber, delivery } = getOption(message, event);
    events.set(claim(svidNumber, cmdNumber, message.typeName), {
      svid: svidNumber,
      cmd: cmdNumber,
      message,
      atLeastOnce: delivery === Delivery.AT_LEAST_ONCE,
    });
  }
  return {
    services,
    servedBy(svidNumber) {
      const service = services.get(svidNumber);
      return service === undefined ? undefined : getOption(service, servedByOption) || undefined;
    },
    method: (svidNumber, cmdNumber) => methods.get(addressOf(svidNumber, cmdNumber)),
    event: (svidNumber, cmdNumber) => events.get(addressOf(svidNumber, cmdNumber)),
    methods: [...methods.values()],
    events: [...events.values()],
  };
}
