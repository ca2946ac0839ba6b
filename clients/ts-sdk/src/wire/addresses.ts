import { type DescMessage, type DescMethod, getOption, hasOption, type Message } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  affinity as affinityOption,
  cmd as cmdOption,
  event as eventOption,
  svid as svidOption,
} from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";

/** Where a method lives on a long connection, and what its contract says of a repeat. */
export interface MethodAddress {
  readonly svid: number;
  readonly cmd: number;
  /** The same bytes may be sent again when the connection is lost before the answer. */
  readonly repeatable: boolean;
  /** Bytes of the request that choose the backend; empty = any. */
  affinityOf(request: Message): Uint8Array;
}

const noBytes = new Uint8Array(0);

/** The address in the contract; undefined when the method has none. */
export function methodAddress(method: DescMethod): MethodAddress | undefined {
  const svid = getOption(method.parent, svidOption);
  const cmd = getOption(method, cmdOption);
  if (svid === 0 || cmd === 0) return undefined;
  const fieldName = getOption(method, affinityOption);
  const field = method.input.fields.find((candidate) => candidate.name === fieldName)?.localName;
  return {
    svid,
    cmd,
    repeatable: method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN,
    affinityOf(request) {
      const value = field === undefined ? undefined : (request as unknown as Record<string, unknown>)[field];
      return value instanceof Uint8Array ? value : noBytes;
    },
  };
}

/** (SVID, CMD) as one number, for maps. */
export function addressKey(svid: number, cmd: number): number {
  return svid * 0x10000 + cmd;
}

/** Key of a server event's address; undefined when the message is not an event. */
export function eventKey(schema: DescMessage): number | undefined {
  if (!hasOption(schema, eventOption)) return undefined;
  const { svid, cmd } = getOption(schema, eventOption);
  return addressKey(svid, cmd);
}
