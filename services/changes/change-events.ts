import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { GroupChangedSchema } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { UserChangedSchema } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import type { Change } from "@chappe/gen/proto/chappe/mesh/v1/change_pb.ts";
import { type PublishRequestSchema, PushService } from "@chappe/gen/proto/chappe/push/v1/push_service_pb.ts";
import { readChange } from "@chappe/mesh/changes/read-change.ts";
import { createSeenVersions } from "@chappe/mesh/changes/seen-versions.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Log, LogConsumer, LogSubscription, PartitionBatch } from "@chappe/mesh/ports/log.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { eventAddress } from "@chappe/mesh/rpc/event-address.ts";
import { createClient, type Transport } from "@connectrpc/connect";

/** What createChangeEvents needs. */
export interface ChangeEventsOptions {
  readonly log: Pick<Log, "subscribe">;
  readonly store: Pick<MessageStore, "conversationsOf">;
  /** To PushService. */
  readonly transport: Transport;
  readonly logger: Logger;
}

/** Tells devices of changed profiles. */
export interface ChangeEvents {
  /** Subscribes to the log of changes. */
  start(): Promise<void>;
  close(): Promise<void>;
}

type Event = MessageInitShape<typeof PublishRequestSchema>;

const userAddress = eventAddress(UserChangedSchema);
const groupAddress = eventAddress(GroupChangedSchema);

/**
 * Turns changes of profiles into events on the push log, before the offset of the change is committed: after a crash an
 * event may be repeated, never lost. Devices go by the version in it.
 */
class Events implements ChangeEvents, LogConsumer {
  readonly #options: ChangeEventsOptions;
  readonly #push;
  readonly #seen = createSeenVersions(limits.maxSeenAggregates);
  #subscription: LogSubscription | undefined;

  constructor(options: ChangeEventsOptions) {
    this.#options = options;
    this.#push = createClient(PushService, options.transport);
  }

  async start(): Promise<void> {
    this.#subscription = await this.#options.log.subscribe("changes", "change-events", this);
  }

  async close(): Promise<void> {
    await this.#subscription?.close();
  }

  assigned(): Promise<ReadonlyMap<number, number>> {
    return Promise.resolve(new Map());
  }

  revoked(): Promise<void> {
    return Promise.resolve();
  }

  async records(batches: readonly PartitionBatch[]): Promise<void> {
    for (const { partition, entries } of batches)
      for (const { offset, payload } of entries) await this.#handle(partition, offset, payload);
    const next = batches.map(({ partition, entries }) => [partition, entries.at(-1)!.offset + 1] as const);
    this.#subscription?.commit(new Map(next));
  }

  async #handle(partition: number, offset: number, payload: Uint8Array): Promise<void> {
    try {
      const change = readChange(payload);
      if (!this.#seen.isNew(change)) return;
      await this.#publish(await this.#eventsOf(change));
      this.#seen.add(change);
    } catch (cause) {
      const error = ChappeError.from(cause);
      // What may work later stops the partition; what never will is reported, and the profile is there to be read.
      if (error.row.retryable) throw error;
      this.#options.logger.error("change-events.skipped", { partition, offset, error });
    }
  }

  async #eventsOf({ what, version }: Change): Promise<readonly Event[]> {
    if (what.case === "groupProfile") {
      const { conversationId, title } = what.value;
      const payload = toBinary(GroupChangedSchema, create(GroupChangedSchema, { conversationId, title, version }));
      return [{ conversationId, ...groupAddress, payload }];
    }
    if (what.case !== "userProfile") return [];
    const { userId, displayName } = what.value;
    const changed = create(UserChangedSchema, { userId, displayName, profileVersion: version });
    const payload = toBinary(UserChangedSchema, changed);
    const toOthers = (await this.#conversationsOf(userId)).map(
      (conversationId): Event => ({ conversationId, exceptUserId: userId, ...userAddress, payload }),
    );
    return [{ userIds: [userId], ...userAddress, payload }, ...toOthers];
  }

  /** Where the user is now, up to limits.maxProfileConversations. */
  async #conversationsOf(userId: bigint): Promise<readonly Uint8Array[]> {
    const rows = await this.#options.store.conversationsOf(userId, { limit: limits.maxProfileConversations });
    return rows.filter(({ leaveSeq }) => leaveSeq === 0).map(({ conversationId }) => conversationId);
  }

  async #publish(events: readonly Event[]): Promise<void> {
    for (let at = 0; at < events.length; at += limits.maxPublishedEvents)
      await this.#push.publishBatch({ events: events.slice(at, at + limits.maxPublishedEvents) });
  }
}

/** Makes them; they do nothing until `start`. */
export function createChangeEvents(options: ChangeEventsOptions): ChangeEvents {
  return new Events(options);
}
