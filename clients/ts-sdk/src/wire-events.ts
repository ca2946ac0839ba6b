import {
  DrainSchema,
  HeadHintSchema,
  KickedSchema,
  SpanWantedSchema,
} from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import {
  MessageArrivedSchema,
  MessageKind,
  ReceiptSchema,
  SendOutcome,
  type SendSettled,
  SendSettledSchema,
} from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { toHex } from "./ids.ts";
import type { Outbox } from "./outbox/outbox.ts";
import type { SendHandle } from "./outbox/send-handle.ts";
import { type ReceivedMessage, textOf } from "./receive/received-message.ts";
import type { Receiver } from "./receive/receiver.ts";
import type { Session } from "./session/session.ts";
import type { Tracer } from "./tracing/tracer.ts";
import { uuidV7TimeMs } from "./uuid-v7.ts";
import type { EventHub } from "./wire/event-hub.ts";

/** Who reacts to the server's events. */
export interface EventTargets {
  readonly events: EventHub;
  readonly session: Session;
  readonly outbox: Outbox;
  readonly receiver: Receiver;
  readonly tracer: Tracer;
}

/** Ties the events of the contracts to the parts that act on them. */
export function wireEvents(targets: EventTargets, userId: () => bigint): void {
  const { events, session, outbox, receiver, tracer } = targets;
  events.on(MessageArrivedSchema, ({ conversationId, messages }, traceContext) => {
    if (traceContext.length > 0) tracer.received(toHex(conversationId), messages, traceContext);
    receiver.arrived(Uint8Array.from(conversationId), messages);
  });
  events.on(SpanWantedSchema, ({ clientMessageId }) => tracer.wanted(clientMessageId));
  events.on(SendSettledSchema, (settled) => onSettled(settled, outbox, receiver, userId()));
  events.on(ReceiptSchema, (receipt) => {
    if (receipt.userId === userId()) return;
    outbox.receipts.receipt(receipt.conversationId, Number(receipt.deliveredSeq), Number(receipt.readSeq));
  });
  events.on(HeadHintSchema, ({ unacked, compareHeads }) => {
    receiver.unacked(unacked);
    if (compareHeads) receiver.compareHeads();
  });
  events.on(DrainSchema, ({ reconnectAfterMs }) => session.drain(reconnectAfterMs));
  events.on(KickedSchema, ({ closeCode, reason }) => session.kicked(closeCode, reason));
}

/** A settled send of this client's is a message too: nobody need push it back to the device that wrote it. */
function onSettled(settled: SendSettled, outbox: Outbox, receiver: Receiver, userId: bigint): void {
  const conversationId = Uint8Array.from(settled.conversationId);
  for (const { clientMessageId, seq: wireSeq, outcome, loggedTimeMs } of settled.sends) {
    const seq = Number(wireSeq);
    if (outcome === SendOutcome.CONFLICT) {
      outbox.conflicted(conversationId, clientMessageId, seq);
      receiver.noteHead(conversationId, seq);
      continue;
    }
    if (outcome === SendOutcome.UNREADABLE) {
      outbox.unreadable(conversationId, clientMessageId, seq);
      receiver.noteHead(conversationId, seq);
      continue;
    }
    const send = outbox.sequenced(conversationId, clientMessageId, seq);
    if (send === undefined) receiver.noteHead(conversationId, seq);
    else receiver.take(conversationId, [ownMessage(send, seq, Number(loggedTimeMs), userId)]);
  }
}

function ownMessage(send: SendHandle, seq: number, loggedTimeMs: number, userId: bigint): ReceivedMessage {
  return {
    conversationId: send.conversationId,
    seq,
    senderId: userId,
    clientMessageId: send.clientMessageId,
    sentTimeMs: uuidV7TimeMs(send.clientMessageId),
    loggedTimeMs,
    kind: MessageKind.USER,
    content: send.content,
    text: textOf(send.content),
    own: true,
  };
}
