import { type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { event } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";

/** Address of an event. */
export interface EventAddress {
  readonly svid: number;
  readonly cmd: number;
}

/** The address that the contract gives an event's message. Throws when the message is not an event. */
export function eventAddress(message: DescMessage): EventAddress {
  if (!hasOption(message, event)) throw new Error(`${message.typeName} is not an event`);
  const { svid, cmd } = getOption(message, event);
  return { svid, cmd };
}
