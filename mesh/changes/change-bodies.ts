import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ChangeSchema } from "@chappe/gen/proto/chappe/mesh/v1/change_pb.ts";
import type { GroupRow, UserRow } from "../ports/business-store.ts";

const encode = (change: MessageInitShape<typeof ChangeSchema>): Uint8Array =>
  toBinary(ChangeSchema, create(ChangeSchema, change));

/** What the stores put into the outbox: encoded chappe.mesh.v1.Change, one function a kind. */
export const changeBodies = {
  endedSession: (userId: bigint, sessionId: bigint): Uint8Array =>
    encode({ version: 1n, what: { case: "endedSession", value: { userId, sessionId } } }),
  raisedSessions: (userId: bigint, version: number): Uint8Array =>
    encode({ version: BigInt(version), what: { case: "raisedSessions", value: { userId } } }),
  userProfile: ({ userId, displayName, profileVersion }: UserRow): Uint8Array =>
    encode({ version: BigInt(profileVersion), what: { case: "userProfile", value: { userId, displayName } } }),
  groupProfile: ({ conversationId, title, version }: GroupRow): Uint8Array =>
    encode({ version: BigInt(version), what: { case: "groupProfile", value: { conversationId, title } } }),
} as const;
