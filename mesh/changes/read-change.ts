import { fromBinary } from "@bufbuild/protobuf";
import { type Change, ChangeSchema } from "@chappe/gen/proto/chappe/mesh/v1/change_pb.ts";
import { ChappeError } from "../errors/chappe-error.ts";
import { partitionOf, partitionOfUser } from "../ids/conversation-id.ts";

/** Partition of everything that ends sessions: offsets in it are the places of one list, the same in every process. */
export const sessionPartition = 0;

/** A record of the log of changes. CORRUPT when it cannot be read. */
export function readChange(body: Uint8Array): Change {
  try {
    return fromBinary(ChangeSchema, body);
  } catch (cause) {
    throw new ChappeError("CORRUPT", "a change cannot be read", { cause });
  }
}

/** The partition of the log on which the changes of an aggregate are, in order. */
export function partitionOfChange({ what }: Change, partitions: number): number {
  switch (what.case) {
    case "userProfile":
      return partitionOfUser(what.value.userId, partitions);
    case "groupProfile":
      return partitionOf(what.value.conversationId, partitions);
    default:
      return sessionPartition;
  }
}

/** Name of the aggregate that has changed; undefined for one that this build does not know. */
export function aggregateOf({ what }: Change): string | undefined {
  switch (what.case) {
    case "endedSession":
      return `session ${what.value.sessionId}`;
    case "raisedSessions":
      return `sessions ${what.value.userId}`;
    case "userProfile":
      return `user ${what.value.userId}`;
    case "groupProfile":
      return `group ${Buffer.from(what.value.conversationId).toString("hex")}`;
    default:
      return undefined;
  }
}
