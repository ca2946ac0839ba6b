import { fromBinary } from "@bufbuild/protobuf";
import { EntryKind } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { MessageContentSchema, MessageKind, SendOutcome } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { ByteWriter } from "@chappe/mesh/codec/byte-writer.ts";
import type { DecodedEntry } from "@chappe/mesh/codec/log-record.ts";
import { appendTaggedMessage, encodeMessageArrived, encodeSendSettled } from "@chappe/mesh/codec/message-events.ts";
import type { MembershipChange, PushEntryFields } from "@chappe/mesh/codec/push-record.ts";
import { conversationKey, directUsers, isGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import { uuidV7TimeMs } from "@chappe/mesh/ids/uuid-v7.ts";
import { limits } from "@chappe/mesh/limits.ts";
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
  /** Payloads of the push, cut before each change of membership and when they are long enough. */
  readonly parts: PushPart[];
}

interface PushPart {
  readonly start: number;
  readonly firstSeq: number;
  /** The one device, of the one user, that sent all of it; 0n = several or none. */
  deviceId: bigint;
  readonly senderId: bigint;
  readonly changes: readonly MembershipChange[];
}

interface OpenSettle {
  readonly partition: number;
  readonly entry: DecodedEntry;
  readonly sends: { clientMessageId: Uint8Array; seq: number; outcome: SendOutcome; loggedTimeMs: number }[];
}

const noChanges: readonly MembershipChange[] = [];
/** Room for one or two messages of a run; most runs of a step hold no more. */
const runStartBytes = 512;

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

class EffectBuilder implements StepBuilder {
  readonly #runs = new Map<string, OpenRun>();
  readonly #settles = new Map<string, OpenSettle>();
  readonly #sends: SendRow[] = [];
  readonly #members: MemberRow[] = [];
  readonly #progress: ProgressStep[] = [];

  accept(partition: number, conversation: string, entry: DecodedEntry, seq: number, loggedTimeMs: number): SendRow {
    const run = this.#openRun(partition, conversation, entry, seq);
    const changes = changesOf(entry);
    this.#recordMembers(entry, seq, changes);
    const part = run.parts.at(-1);
    const full = part !== undefined && run.writer.length - part.start >= limits.maxPushPayloadBytes;
    if (part === undefined || changes.length > 0 || full) {
      const { deviceId, senderId } = entry;
      run.parts.push({ start: run.writer.length, firstSeq: seq, deviceId, senderId, changes });
    } else if (part.deviceId !== entry.deviceId || part.senderId !== entry.senderId) part.deviceId = 0n;
    const { senderId, clientMessageId, conversationId, digest, body: content } = entry;
    const sentTimeMs = uuidV7TimeMs(clientMessageId);
    const kind = messageKindOf(entry);
    appendTaggedMessage(run.writer, { seq, senderId, clientMessageId, sentTimeMs, loggedTimeMs, kind, content });
    run.count++;
    const row: SendRow = { conversationId, senderId, clientMessageId, seq, digest, loggedTimeMs };
    this.#sends.push(row);
    this.#settle(partition, entry, row, SendOutcome.SEQUENCED);
    return row;
  }

  settleDuplicate(partition: number, entry: DecodedEntry, first: SendRow): void {
    const outcome = first.digest === entry.digest ? SendOutcome.SEQUENCED : SendOutcome.CONFLICT;
    this.#settle(partition, entry, first, outcome);
  }

  advance({ partition, epoch, fromOffset, nextOffset }: PartitionInput): void {
    this.#progress.push({ partition, epoch, fromOffset, nextOffset });
  }

  finish(): Step {
    const rest = { progress: this.#progress, sends: this.#sends, members: this.#members };
    return finishStep(this.#runs, this.#settles, rest);
  }

  #openRun(partition: number, conversation: string, { conversationId }: DecodedEntry, seq: number): OpenRun {
    let run = this.#runs.get(conversation);
    if (run === undefined) {
      run = { partition, conversationId, firstSeq: seq, count: 0, writer: new ByteWriter(runStartBytes), parts: [] };
      this.#runs.set(conversation, run);
    }
    return run;
  }

  #settle(partition: number, entry: DecodedEntry, row: SendRow, outcome: SendOutcome): void {
    if (entry.deviceId === 0n) return;
    const key = `${entry.deviceId}/${entry.senderId}/${conversationKey(entry.conversationId)}`;
    let open = this.#settles.get(key);
    if (open === undefined) {
      open = { partition, entry, sends: [] };
      this.#settles.set(key, open);
    }
    const { clientMessageId, seq, loggedTimeMs } = row;
    open.sends.push({ clientMessageId, seq, outcome, loggedTimeMs });
  }

  #recordMembers({ conversationId }: DecodedEntry, seq: number, changes: readonly MembershipChange[]): void {
    for (const { userId, joined, role } of changes) {
      const bounds = joined ? { joinSeq: seq, leaveSeq: 0 } : { joinSeq: 0, leaveSeq: seq };
      this.#members.push({ conversationId, userId, role: joined ? role : 0, ...bounds });
    }
    if (seq !== 1 || isGroupId(conversationId)) return;
    for (const userId of new Set(directUsers(conversationId))) {
      this.#members.push({ conversationId, userId, role: 1, joinSeq: 1, leaveSeq: 0 });
    }
  }
}

/** A builder for one step. */
export function createStepBuilder(): StepBuilder {
  return new EffectBuilder();
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
    exceptUserId: part.deviceId === 0n ? 0n : part.senderId,
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
