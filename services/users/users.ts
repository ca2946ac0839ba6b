import type { UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { directConversationId } from "@chappe/mesh/ids/conversation-id.ts";
import type { BusinessStore, UserRow } from "@chappe/mesh/ports/business-store.ts";
import { identityKey } from "@chappe/mesh/rpc/identity.ts";
import type { ServiceImpl } from "@connectrpc/connect";

/** Makes the implementation of UserService. */
export function createUsers(store: Pick<BusinessStore, "usersById" | "usersByName">): ServiceImpl<typeof UserService> {
  return {
    async getUsers({ userIds, names }, context) {
      const callerId = context.values.get(identityKey).userId;
      const rows = [...(await store.usersById(userIds)), ...(await store.usersByName(names))];
      const unique = new Map<bigint, UserRow>(rows.map((row) => [row.userId, row]));
      const users = [...unique.values()].map(({ userId, name, displayName }) => ({
        userId,
        name,
        displayName,
        directConversationId: directConversationId(callerId, userId),
      }));
      return { users };
    },
  };
}
