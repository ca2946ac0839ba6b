import { fromBinary } from "@bufbuild/protobuf";
import { EntryKind } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { MessageContentSchema, MessageKind, SendOutcome } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { ByteWriter } from "@chappe/mesh/codec/byte-writer.ts";
import type { DecodedEntry } from "@chappe/mesh/codec/log-record.ts";
import { appendTaggedMessage, encodeMessageArrived, encodeSendSettled } from "@chappe/mesh/codec/message-events.ts";
import type { MembershipChange, PushEntryFields } from "@chappe/mesh/codec/push-record.ts";
import { directUsers, isGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import { uuidV7TimeMs } from "@chappe/mesh/ids/uuid-v7.ts";
import type { MemberRow, MessageRun, ProgressStep, SendRow, StoreCommit } from "@chappe/mesh/ports/message-store.ts";
import { messageArrivedAddress, sendSettledAddress } from "./event-addresses.ts";
import type { PartitionInput } from "./sequencer.ts";

/** What one call of the sequencer brings about. */
export interface Step {
  readonly commit: StoreCommit;
  /** Push entries by partition, in order. */
  readonly pushes: ReadonlyMap<number, readonly PushEntryFields[]>;
  readonly messages: number;
}

/** Collects the effects of accepted messages and of duplicates. */
export interface StepBuilder {
  accept(partition: number, conversation: string, entry: DecodedEntry, seq: number, loggedTimeMs: number): SendRow;
  settleDuplicate(partition: number, entry: DecodedEntry, first: SendRow): void;
  advance(input: PartitionInput): void;
  finish(): Step;
}

interface OpenRun {
  readonly partition: number;
  readonly conversationId: Uint8Array;
  readonly firstSeq: number;
  count: number;
  readonly writer: ByteWriter;
  /** Payloads of the push, cut before each change of membership. */
  readonly parts: PushPart[];
}

interface PushPart {
  readonly start: number;
  readonly firstSeq: number;
  /** The one device that sent all of it; 0n = several or none. */
  deviceId: bigint;
  readonly changes: readonly MembershipChange[];
}

interface OpenSettle {
  readonly partition: number;
  readonly entry: DecodedEntry;
  readonly sends: { clientMessageId: Uint8Array; seq: number; outcome: SendOutcome; loggedTimeMs: number }[];
}

const noChanges: readonly MembershipChange[] = [];

const messageKindOf = (entry: DecodedEntry): MessageKind => {
  if (entry.body === undefined) return MessageKind.UNREADABLE;
  return entry.kind === EntryKind.MEMBERSHIP ? MessageKind.SYSTEM : MessageKind.USER;
};

/** The members that a membership entry moves; none when its body is damaged. */
function changesOf(entry: DecodedEntry): readonly MembershipChange[] {
  if (entry.kind !== EntryKind.MEMBERSHIP || entry.body === undefined) return noChanges;
  const { kind } = fromBinary(MessageContentSchema, entry.body);
  if (kind.case !== "membership") return noChanges;
  return kind.value.items.map(({ userId, joined, role }) => ({ userId, joined, role }));
}

/** A builder for one step. */
export function createStepBuilder(): StepBuilder {
  const runs = new Map<string, OpenRun>();
  const settles = new Map<string, OpenSettle>();
  const sends: SendRow[] = [];
  const members: MemberRow[] = [];
  const progress: ProgressStep[] = [];

  const settle = (partition: number, entry: DecodedEntry, row: SendRow, outcome: SendOutcome): void => {
    if (entry.deviceId === 0n) return;
    const key = `${entry.deviceId}/${entry.senderId}/${Buffer.from(entry.conversationId).toString("latin1")}`;
    let open = settles.get(key);
    if (open === undefined) {
      open = { partition, entry, sends: [] };
      settles.set(key, open);
    }
    const { clientMessageId, seq, loggedTimeMs } = row;
    open.sends.push({ clientMessageId, seq, outcome, loggedTimeMs });
  };

  const openRun = (partition: number, conversation: string, entry: DecodedEntry, seq: number): OpenRun => {
    let run = runs.get(conversation);
    if (run === undefined) {
      const { conversationId } = entry;
      run = { partition, conversationId, firstSeq: seq, count: 0, writer: new ByteWriter(), parts: [] };
      runs.set(conversation, run);
    }
    return run;
  };

  const recordMembers = (entry: DecodedEntry, seq: number, changes: readonly MembershipChange[]): void => {
    const { conversationId } = entry;
    for (const { userId, joined, role } of changes) {
      members.push({
        conversationId,
        userId,
        role: joined ? role : 0,
        joinSeq: joined ? seq : 0,
        leaveSeq: joined ? 0 : seq,
      });
    }
    if (seq === 1 && !isGroupId(conversationId)) {
      for (const userId of new Set(directUsers(conversationId))) {
        members.push({ conversationId, userId, role: 1, joinSeq: 1, leaveSeq: 0 });
      }
    }
  };

  return {
    accept(partition, conversation, entry, seq, loggedTimeMs) {
      const run = openRun(partition, conversation, entry, seq);
      const changes = changesOf(entry);
      recordMembers(entry, seq, changes);
      const part = run.parts.at(-1);
      if (part === undefined || changes.length > 0) {
        run.parts.push({ start: run.writer.length, firstSeq: seq, deviceId: entry.deviceId, changes });
      } else if (part.deviceId !== entry.deviceId) part.deviceId = 0n;
      const { senderId, clientMessageId, conversationId, digest } = entry;
      const sentTimeMs = uuidV7TimeMs(clientMessageId);
      const kind = messageKindOf(entry);
      appendTaggedMessage(run.writer, {
        seq,
        senderId,
        clientMessageId,
        sentTimeMs,
        loggedTimeMs,
        kind,
        content: entry.body,
      });
      run.count++;
      const row: SendRow = { conversationId, senderId, clientMessageId, seq, digest, loggedTimeMs };
      sends.push(row);
      settle(partition, entry, row, SendOutcome.SEQUENCED);
      return row;
    },
    settleDuplicate(partition, entry, first) {
      const outcome = first.digest === entry.digest ? SendOutcome.SEQUENCED : SendOutcome.CONFLICT;
      settle(partition, entry, first, outcome);
    },
    advance: ({ partition, epoch, fromOffset, nextOffset }) =>
      progress.push({ partition, epoch, fromOffset, nextOffset }),
    finish: () => finishStep(runs, settles, { progress, sends, members }),
  };
}

function finishStep(
  open: ReadonlyMap<string, OpenRun>,
  settles: ReadonlyMap<string, OpenSettle>,
  rest: Omit<StoreCommit, "runs">,
): Step {
  const runs: MessageRun[] = [];
  const pushes = new Map<number, PushEntryFields[]>();
  const push = (partition: number, entry: PushEntryFields): void => {
    const entries = pushes.get(partition);
    if (entries === undefined) pushes.set(partition, [entry]);
    else entries.push(entry);
  };
  let messages = 0;
  for (const run of open.values()) {
    const bytes = run.writer.finish();
    runs.push({ conversationId: run.conversationId, firstSeq: run.firstSeq, count: run.count, bytes });
    messages += run.count;
    for (const [index, part] of run.parts.entries()) push(run.partition, arrivedEntry(run, bytes, index, part));
  }
  for (const settled of settles.values()) push(settled.partition, settledEntry(settled));
  return { commit: { ...rest, runs }, pushes, messages };
}

function arrivedEntry(run: OpenRun, bytes: Uint8Array, index: number, part: PushPart): PushEntryFields {
  const next = run.parts[index + 1];
  return {
    ...messageArrivedAddress,
    conversationId: run.conversationId,
    exceptDeviceId: part.deviceId,
    payload: encodeMessageArrived(run.conversationId, bytes.subarray(part.start, next?.start ?? bytes.length)),
    firstSeq: part.firstSeq,
    lastSeq: (next?.firstSeq ?? run.firstSeq + run.count) - 1,
    changes: part.changes,
  };
}

function settledEntry({ entry, sends }: OpenSettle): PushEntryFields {
  return {
    ...sendSettledAddress,
    userIds: [entry.senderId],
    onlyDeviceId: entry.deviceId,
    payload: encodeSendSettled(entry.conversationId, sends),
  };
}
