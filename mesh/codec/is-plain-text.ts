import { isUtf8 } from "node:buffer";
import { getOption } from "@bufbuild/protobuf";
import { field as fieldRules } from "@chappe/gen/proto/buf/validate/validate_pb.ts";
import { TextContentSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";

const textTag = 0x0a;
const textRules = getOption(TextContentSchema.field.text, fieldRules).type;
/** Longest text of the contract; 0 = the contract says otherwise than what isPlainText knows. */
const maxTextBytes = textRules.case === "string" ? Number(textRules.value.maxBytes) : 0;

/** Where the length-delimited field at `at` begins when it has this tag and ends where the body ends; -1 otherwise. */
function lastField(body: Uint8Array, at: number, tag: number): number {
  if (body[at] !== tag) return -1;
  const first = body[at + 1] ?? 0x80;
  const second = body[at + 2] ?? 0x80;
  if (first < 0x80) return at + 2 + first === body.length ? at + 2 : -1;
  if (second >= 0x80) return -1;
  return at + 3 + (first & 0x7f) + second * 0x80 === body.length ? at + 3 : -1;
}

/** A content that is one text and nothing else, and keeps to the contract. What this does not know is judged by the contract itself. */
export function isPlainText(body: Uint8Array): boolean {
  const outer = lastField(body, 0, textTag);
  const inner = outer < 0 ? -1 : lastField(body, outer, textTag);
  const bytes = body.length - inner;
  return inner > 0 && bytes > 0 && bytes <= maxTextBytes && isUtf8(body.subarray(inner));
}
