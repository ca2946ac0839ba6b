import { create } from "@bufbuild/protobuf";
import { FindAllHopsResponseSchema } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { directUsers, isGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import type { MarkFields } from "@chappe/mesh/telemetry/marks.ts";
import { makeReport, type StoredTrace, type TraceReport } from "@chappe/mesh/telemetry/trace-report.ts";
import { findHops } from "@chappe/mesh/telemetry/trace-service.ts";
import type { Telemetry } from "./open-telemetry.ts";
import type { TraceLinks } from "./trace-links.ts";

/** Where the process can look up what is stored. */
export interface TraceStores {
  readonly store: Pick<MessageStore, "findSends" | "members">;
  readonly business: Pick<BusinessStore, "cursors">;
}

type Found = Awaited<ReturnType<TraceLinks["find"]>>;

/** Asks again when MsgWriter knows the place in the conversation: further down only that is known. */
async function askAll(find: TraceLinks["find"], id: Uint8Array): Promise<Found> {
  const first = await find({ id });
  const message = first.map((one) => one.message).find((one) => one !== undefined && one.seq > 0n);
  if (message === undefined) return first;
  return find({ id, conversation: message.conversationHash, seq: Number(message.seq) });
}

const stateOf = (seq: number, deliveredSeq: number, readSeq: number): StoredTrace["members"][number]["state"] => {
  if (readSeq >= seq) return "read";
  return deliveredSeq >= seq ? "on device" : "not delivered";
};

async function findStored(
  { store, business }: TraceStores,
  clientMessageId: Uint8Array,
  conversationId: Uint8Array,
): Promise<StoredTrace | undefined> {
  const users = isGroupId(conversationId)
    ? (await store.members(conversationId)).map(({ userId }) => userId)
    : [...new Set(directUsers(conversationId))];
  const keys = users.slice(0, limits.maxFoundHops).map((senderId) => ({ conversationId, senderId, clientMessageId }));
  const row = (await store.findSends(keys)).find((one) => one !== undefined);
  if (row === undefined) return undefined;
  const { seq, senderId, loggedTimeMs } = row;
  const cursors = new Map(
    (await business.cursors(conversationId, limits.maxFoundHops)).map((cursor) => [cursor.userId, cursor]),
  );
  const members = users
    .filter((userId) => userId !== senderId)
    .map((userId) => {
      const { deliveredSeq = 0, readSeq = 0 } = cursors.get(userId) ?? {};
      return { userId: String(userId), state: stateOf(seq, deliveredSeq, readSeq) };
    });
  return { seq, loggedTime: new Date(loggedTimeMs).toISOString(), members };
}

/**
 * Where a message is, from the rings of all processes that can be reached, and from the stores when this process has them and
 * the conversation is given.
 */
export async function findMessage(
  telemetry: Telemetry,
  id: Uint8Array,
  conversationId: Uint8Array | undefined,
): Promise<TraceReport> {
  const { live, links, stores, ownerOf, instanceId } = telemetry;
  const here = (fields: MarkFields): Promise<Found> => {
    const found = live === undefined ? {} : findHops({ live, instanceId, ownerOf }, fields);
    const { hops = [], message } = found;
    return Promise.resolve([create(FindAllHopsResponseSchema, { hops, ...(message && { message }) })]);
  };
  const answers = await askAll(links?.find ?? here, id);
  const stored =
    stores === undefined || conversationId === undefined ? undefined : await findStored(stores, id, conversationId);
  return makeReport({
    messageId: Buffer.from(id).toString("hex"),
    hops: answers.flatMap(({ hops }) => hops),
    stored,
    silent: answers.reduce((sum, { silent }) => sum + silent, 0),
  });
}
