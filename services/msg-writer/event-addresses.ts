import { MessageArrivedSchema, SendSettledSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { eventAddress } from "@chappe/mesh/rpc/event-address.ts";

/** Address of MessageArrived. */
export const messageArrivedAddress = eventAddress(MessageArrivedSchema);

/** Address of SendSettled. */
export const sendSettledAddress = eventAddress(SendSettledSchema);
