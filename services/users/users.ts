import type { UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { directConversationId } from "@chappe/mesh/ids/conversation-id.ts";
import type { BusinessStore, UserRow } from "@chappe/mesh/ports/business-store.ts";
import { identityKey } from "@chappe/mesh/rpc/identity.ts";
import type { ServiceImpl } from "@connectrpc/connect";

/** What createUsers needs. */
export interface UsersOptions {
  readonly store: Pick<BusinessStore, "usersById" | "usersByName" | "updateProfile">;
  /** There is a change in the store's outbox. @default does nothing */
  readonly onChange?: () => void;
}

/** Makes the implementation of UserService. */
export function createUsers({ store, onChange }: UsersOptions): ServiceImpl<typeof UserService> {
  return {
    async getUsers({ userIds, names }, context) {
      const callerId = context.values.get(identityKey).userId;
      const rows = [...(await store.usersById(userIds)), ...(await store.usersByName(names))];
      const unique = new Map<bigint, UserRow>(rows.map((row) => [row.userId, row]));
      const users = [...unique.values()].map(({ userId, name, displayName, profileVersion }) => ({
        userId,
        name,
        displayName,
        directConversationId: directConversationId(callerId, userId),
        profileVersion: BigInt(profileVersion),
      }));
      return { users };
    },
    async updateProfile({ displayName }, context) {
      const { userId } = context.values.get(identityKey);
      const { profileVersion } = await store.updateProfile(userId, { displayName });
      onChange?.();
      return { profileVersion: BigInt(profileVersion) };
    },
  };
}
