import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import type { ChappeClient } from "@chappe/sdk/src/index.ts";
import type { ConversationState } from "./conversation-state.ts";

/** The conversation with an id, made when it is new. */
export type ConversationOf = (id: Uint8Array) => ConversationState;

/** Groups of one page; the contract's bound. */
const groupsPerPage = 500;

/** Fetches where the user's conversations stand. Rejects with ConnectError. */
export async function loadRoster(client: ChappeClient, of: ConversationOf): Promise<void> {
  const groups: ConversationState[] = [];
  let pageToken = "";
  do {
    const page = await client.call(SyncService).listHeads({ pageToken });
    for (const head of page.heads) {
      const conversation = of(head.conversationId);
      conversation.headSeq = Math.max(conversation.headSeq, Number(head.headSeq));
      conversation.readSeq = Math.max(conversation.readSeq, Number(head.readSeq));
      conversation.firstSeq = Number(head.firstSeq);
      if (conversation.peerId === undefined) groups.push(conversation);
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  if (groups.length === 0) return;
  const present = await loadGroups(client, of);
  for (const group of groups) group.left = !present.has(group);
}

/** Fetches the titles of the user's groups; answers those that the user is in. Rejects with ConnectError. */
export async function loadGroups(client: ChappeClient, of: ConversationOf): Promise<ReadonlySet<ConversationState>> {
  const present = new Set<ConversationState>();
  let pageToken = "";
  do {
    const page = await client.call(GroupService).listGroups({ pageSize: groupsPerPage, pageToken });
    for (const { conversationId, title } of page.groups) {
      const conversation = of(conversationId);
      conversation.title = title;
      present.add(conversation);
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return present;
}
