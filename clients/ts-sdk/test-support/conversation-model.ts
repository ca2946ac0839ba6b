import { create, equals } from "@bufbuild/protobuf";
import type { ErrorName } from "@chappe/gen/errors.ts";
import {
  type Message,
  type MessageContent,
  MessageContentSchema,
  MessageKind,
  MessageSchema,
  SendOutcome,
  type SettledSend,
  SettledSendSchema,
} from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { type OutgoingMessage, SendState } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { toHex } from "../src/ids.ts";
import { uuidV7TimeMs } from "../src/uuid-v7.ts";

interface LogEntry {
  readonly senderId: bigint;
  readonly deviceId: bigint;
  readonly message: OutgoingMessage;
}

/** What one step of sequencing has brought about. */
export interface Step {
  readonly messages: readonly { readonly message: Message; readonly deviceId: bigint }[];
  readonly settled: readonly { readonly senderId: bigint; readonly send: SettledSend }[];
}

/** One conversation as the promises describe it: a durable log, and seqs given to what is no duplicate. */
export class ConversationModel {
  readonly id: Uint8Array;
  readonly members: readonly bigint[];
  readonly messages: Message[] = [];
  /** First seq each member may read; 1 when it says nothing. */
  readonly firstSeqs = new Map<bigint, number>();
  /** What a range of it is refused with. */
  refusal: ErrorName | undefined;
  #log: LogEntry[] = [];
  readonly #bySend = new Map<string, Message>();

  constructor(id: Uint8Array, members: readonly bigint[]) {
    this.id = id;
    this.members = members;
  }

  get head(): number {
    return this.messages.length;
  }

  firstSeq(userId: bigint): number {
    return this.firstSeqs.get(userId) ?? 1;
  }

  /** Makes messages durable. */
  append(senderId: bigint, deviceId: bigint, messages: readonly OutgoingMessage[]): void {
    for (const message of messages) this.#log.push({ senderId, deviceId, message });
  }

  /** Gives seqs to everything on the log. */
  sequence(): Step {
    const log = this.#log;
    this.#log = [];
    const step = { messages: [] as { message: Message; deviceId: bigint }[], settled: [] as Step["settled"][number][] };
    for (const { senderId, deviceId, message: sent } of log) {
      const key = `${senderId}/${toHex(sent.clientMessageId)}`;
      const first = this.#bySend.get(key);
      const message = first ?? this.#next(senderId, sent);
      this.#bySend.set(key, message);
      if (first === undefined) step.messages.push({ message, deviceId });
      const conflict = first !== undefined && !sameContent(first.content!, sent.content!);
      step.settled.push({
        senderId,
        send: create(SettledSendSchema, {
          clientMessageId: sent.clientMessageId,
          seq: message.seq,
          outcome: conflict ? SendOutcome.CONFLICT : SendOutcome.SEQUENCED,
          loggedTimeMs: message.loggedTimeMs,
        }),
      });
    }
    return step;
  }

  /** As MessageService.GetSend. */
  getSend(
    senderId: bigint,
    id: Uint8Array,
    content: MessageContent | undefined,
  ): { readonly state: SendState; readonly seq: bigint } {
    const key = toHex(id);
    const found = this.#bySend.get(`${senderId}/${key}`);
    if (found !== undefined) {
      const same = content === undefined || sameContent(found.content!, content);
      return { state: same ? SendState.SEQ : SendState.CONFLICT, seq: found.seq };
    }
    const logged = this.#log.some((e) => e.senderId === senderId && toHex(e.message.clientMessageId) === key);
    return { state: logged ? SendState.NOT_YET : SendState.NONE, seq: 0n };
  }

  #next(senderId: bigint, sent: OutgoingMessage): Message {
    const message = create(MessageSchema, {
      seq: BigInt(this.messages.length + 1),
      senderId,
      clientMessageId: sent.clientMessageId,
      sentTimeMs: BigInt(uuidV7TimeMs(sent.clientMessageId)),
      loggedTimeMs: BigInt(Date.now()),
      kind: MessageKind.USER,
      content: sent.content!,
    });
    this.messages.push(message);
    return message;
  }
}

function sameContent(a: MessageContent, b: MessageContent): boolean {
  return equals(MessageContentSchema, a, b);
}
