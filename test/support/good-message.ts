import { expect, vi } from "vitest";
import { directId, type HttpUser, messageId } from "./http-user.ts";

interface Page {
  readonly messages?: { seq: string; content?: { text?: { text: string } } }[];
}

const sendMethod = "chappe.msg.v1.MessageService/Send";
const listMethod = "chappe.msg.v1.HistoryService/ListMessages";

/** Sends a text over HTTP; settles with the acknowledgement. */
export async function sendText(from: HttpUser, to: HttpUser, text: string): Promise<void> {
  const messages = [{ clientMessageId: messageId(), content: { text: { text } } }];
  await from.call(sendMethod, { conversationId: directId(from, to), messages });
}

/** All texts of the direct conversation, in order of seq; fails when a seq is missing. */
export async function readTexts(reader: HttpUser, other: HttpUser): Promise<string[]> {
  const conversationId = directId(reader, other);
  const texts: string[] = [];
  for (;;) {
    const body = { conversationId, fromSeq: String(texts.length + 1), limit: 200 };
    const { messages = [] } = await reader.call<Page>(listMethod, body);
    if (messages.length === 0) return texts;
    for (const { seq, content } of messages) {
      expect(seq).toBe(String(texts.length + 1));
      texts.push(content?.text?.text ?? "");
    }
  }
}

/** Sends a message and waits until the other one can read it: the server lives. */
export async function expectServes(from: HttpUser, to: HttpUser): Promise<void> {
  const text = `still here ${messageId()}`;
  await sendText(from, to, text);
  await vi.waitFor(async () => expect(await readTexts(to, from)).toContain(text), 10_000);
}
