import { fromBinary } from "@bufbuild/protobuf";
import { EntryKind } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { MessageContentSchema, MessageKind, SendOutcome } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { ByteWriter } from "@chappe/mesh/codec/byte-writer.ts";
import { appendTaggedMessage, encodeMessageArrived, encodeSendSettled } from "@chappe/mesh/codec/message-events.ts";
import type { MembershipChange, PushEntryFields } from "@chappe/mesh/codec/push-record.ts";
import type { TracedMessage } from "@chappe/mesh/codec/traced-message.ts";
import { conversationKey, directUsers, isGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import { uuidV7TimeMs } from "@chappe/mesh/ids/uuid-v7.ts";
import { limits } from "@chappe/mesh/limits.ts";
import {
  type MemberRow,
  type MessageRun,
  noDigest,
  type ProgressStep,
  type SendRow,
  type StoreCommit,
} from "@chappe/mesh/ports/message-store.ts";
import { type Hops, noHops } from "@chappe/mesh/telemetry/hops.ts";
import { encodeDeadLetter, type LogPlace } from "./dead-letters.ts";
import { messageArrivedAddress, sendSettledAddress } from "./event-addresses.ts";
import type { ReadEntry } from "./read-record.ts";
import type { PartitionInput } from "./sequencer.ts";

/** What one call of the sequencer brings about. */
export interface Step {
  readonly commit: StoreCommit;
  /** Push entries by partition, in order. */
  readonly pushes: ReadonlyMap<number, readonly PushEntryFields[]>;
  /** Records for the dead-letter log, in order of the messages. */
  readonly deadLetters: readonly DeadRecord[];
  readonly messages: number;
}

/** A record for a partition of the dead-letter log. */
export interface DeadRecord {
  readonly partition: number;
  readonly payload: Uint8Array;
}

/** Collects the effects of accepted messages and of duplicates. */
export interface StepBuilder {
  accept(partition: number, conversation: string, entry: ReadEntry, seq: number, loggedTimeMs: number): SendRow;
  settleDuplicate(partition: number, entry: ReadEntry, first: SendRow): void;
  /** Keeps what was found of an accepted message that has no body. */
  bury(place: LogPlace, index: number, entry: ReadEntry, seq: number): void;
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
  traced: TracedMessage[] | undefined;
}

interface OpenSettle {
  readonly partition: number;
  readonly entry: ReadEntry;
  readonly sends: { clientMessageId: Uint8Array; seq: number; outcome: SendOutcome; loggedTimeMs: number }[];
}

const noChanges: readonly MembershipChange[] = [];
/** Room for one or two messages of a run; most runs of a step hold no more. */
const runStartBytes = 512;

const messageKindOf = (entry: ReadEntry): MessageKind => {
  if (entry.body === undefined) return MessageKind.UNREADABLE;
  return entry.kind === EntryKind.MEMBERSHIP ? MessageKind.SYSTEM : MessageKind.USER;
};

/** The members that a membership entry moves; none when its body is damaged. */
function changesOf(entry: ReadEntry): readonly MembershipChange[] {
  if (entry.kind !== EntryKind.MEMBERSHIP || entry.body === undefined) return noChanges;
  const { kind } = fromBinary(MessageContentSchema, entry.body);
  if (kind.case !== "membership") return noChanges;
  return kind.value.items.map(({ userId, joined, role }) => ({ userId, joined, role }));
}

function outcomeOf(first: SendRow, digest: bigint): SendOutcome {
  if (first.digest === noDigest) return SendOutcome.UNREADABLE;
  return first.digest === digest ? SendOutcome.SEQUENCED : SendOutcome.CONFLICT;
}

class EffectBuilder implements StepBuilder {
  readonly #hops: Hops;
  readonly #nowMs: number;
  readonly #runs = new Map<string, OpenRun>();
  readonly #settles = new Map<string, OpenSettle>();
  readonly #sends: SendRow[] = [];
  readonly #members: MemberRow[] = [];
  readonly #progress: ProgressStep[] = [];
  readonly #deadLetters: DeadRecord[] = [];

  constructor(hops: Hops) {
    this.#hops = hops;
    this.#nowMs = hops.now();
  }

  accept(partition: number, conversation: string, entry: ReadEntry, seq: number, loggedTimeMs: number): SendRow {
    const run = this.#openRun(partition, conversation, entry, seq);
    const changes = changesOf(entry);
    this.#recordMembers(entry, seq, changes);
    const part = run.parts.at(-1);
    const full = part !== undefined && run.writer.length - part.start >= limits.maxPushPayloadBytes;
    if (part === undefined || changes.length > 0 || full) {
      const { deviceId, senderId } = entry;
      run.parts.push({ start: run.writer.length, firstSeq: seq, deviceId, senderId, changes, traced: undefined });
    } else if (part.deviceId !== entry.deviceId || part.senderId !== entry.senderId) part.deviceId = 0n;
    const { senderId, clientMessageId, conversationId, digest, body: content } = entry;
    const sentTimeMs = uuidV7TimeMs(clientMessageId);
    const kind = messageKindOf(entry);
    appendTaggedMessage(run.writer, { seq, senderId, clientMessageId, sentTimeMs, loggedTimeMs, kind, content });
    run.count++;
    this.#trace(run, entry, seq);
    const kept = content === undefined ? noDigest : digest;
    const row: SendRow = { conversationId, senderId, clientMessageId, seq, digest: kept, loggedTimeMs };
    this.#sends.push(row);
    this.#settle(partition, entry, row, outcomeOf(row, digest));
    return row;
  }

  settleDuplicate(partition: number, entry: ReadEntry, first: SendRow): void {
    this.#settle(partition, entry, first, outcomeOf(first, entry.digest));
  }

  bury(place: LogPlace, index: number, entry: ReadEntry, seq: number): void {
    const payload = encodeDeadLetter(place, index, entry, seq);
    this.#deadLetters.push({ partition: place.partition, payload });
  }

  advance({ partition, epoch, fromOffset, nextOffset }: PartitionInput): void {
    this.#progress.push({ partition, epoch, fromOffset, nextOffset });
  }

  finish(): Step {
    const rest = { progress: this.#progress, sends: this.#sends, members: this.#members };
    return { ...finishStep(this.#runs, this.#settles, rest), deadLetters: this.#deadLetters };
  }

  #trace({ parts }: OpenRun, entry: ReadEntry, seq: number): void {
    if (entry.kind !== EntryKind.USER) return;
    const traceContext = this.#hops.sequencedContext(entry, seq, entry.traceContext, this.#nowMs);
    if (traceContext.length === 0) return;
    const part = parts.at(-1)!;
    part.traced ??= [];
    part.traced.push({ seq, traceContext });
  }

  #openRun(partition: number, conversation: string, { conversationId }: ReadEntry, seq: number): OpenRun {
    let run = this.#runs.get(conversation);
    if (run === undefined) {
      run = { partition, conversationId, firstSeq: seq, count: 0, writer: new ByteWriter(runStartBytes), parts: [] };
      this.#runs.set(conversation, run);
    }
    return run;
  }

  #settle(partition: number, entry: ReadEntry, row: SendRow, outcome: SendOutcome): void {
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

  #recordMembers({ conversationId }: ReadEntry, seq: number, changes: readonly MembershipChange[]): void {
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
export function createStepBuilder(hops: Hops = noHops): StepBuilder {
  return new EffectBuilder(hops);
}

function finishStep(
  open: ReadonlyMap<string, OpenRun>,
  settles: ReadonlyMap<string, OpenSettle>,
  rest: Omit<StoreCommit, "runs">,
): Omit<Step, "deadLetters"> {
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
    ...(part.traced && { traced: part.traced }),
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
