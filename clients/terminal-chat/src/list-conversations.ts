import { SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import type { ChappeClient } from "@chappe/sdk/src/index.ts";
import type { AddressBook } from "./address-book.ts";

/** A conversation of the user's. */
export interface ConversationEntry {
  readonly id: Uint8Array;
  readonly title: string;
  readonly headSeq: number;
  readonly unread: number;
}

/** All conversations: those with unread messages first, then by title. Rejects with what the server says. */
export async function listConversations(client: ChappeClient, book: AddressBook): Promise<ConversationEntry[]> {
  const sync = client.call(SyncService);
  const entries: ConversationEntry[] = [];
  let pageToken = "";
  do {
    const page = await sync.listHeads({ pageToken });
    for (const head of page.heads) {
      const id = Uint8Array.from(head.conversationId);
      const seen = Math.max(Number(head.readSeq), Number(head.firstSeq) - 1);
      const headSeq = Number(head.headSeq);
      entries.push({ id, title: await book.titleOf(id), headSeq, unread: Math.max(headSeq - seen, 0) });
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return entries.sort(
    (a, b) => Number(b.unread > 0) - Number(a.unread > 0) || (a.title < b.title ? -1 : a.title > b.title ? 1 : 0),
  );
}
