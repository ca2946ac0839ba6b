import { create, toBinary } from "@bufbuild/protobuf";
import { MessageContentSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { isPlainText } from "@chappe/mesh/codec/is-plain-text.ts";
import { createRequestValidator } from "@chappe/mesh/rpc/validator.ts";
import fc from "fast-check";
import { expect, it } from "vitest";

import { checkContent } from "./read-send.ts";

const validator = createRequestValidator();
const textOf = (text: string): Uint8Array =>
  toBinary(MessageContentSchema, create(MessageContentSchema, { kind: { case: "text", value: { text } } }));
/** The verdict of the contract alone: the short way is closed by a second, unknown field. */
function contractTakes(body: Uint8Array): boolean {
  try {
    checkContent(Uint8Array.from([...body, 0x9a, 0x06, 0x00]), "content", validator);
    return true;
  } catch {
    return false;
  }
}

it.each([1, 2, 100, 126, 127, 128, 129, 5_000, 15_999, 16_000])("knows a text of %i bytes", (bytes) => {
  expect(isPlainText(textOf("x".repeat(bytes)))).toBe(true);
});

it.each([
  ["an empty text", textOf("")],
  ["a text over the limit", textOf("x".repeat(16_001))],
  ["no content", new Uint8Array(0)],
  ["half a character", Uint8Array.of(0x0a, 3, 0x0a, 1, 0xc3)],
  ["a length beyond the end", Uint8Array.of(0x0a, 9, 0x0a, 1, 0x41)],
  ["a length before the end", Uint8Array.of(0x0a, 3, 0x0a, 1, 0x41, 0x41)],
  ["another kind", Uint8Array.of(0x12, 3, 0x0a, 1, 0x41)],
])("does not take %s for one", (_name, body) => {
  expect(isPlainText(body)).toBe(false);
});

it("takes nothing that the contract refuses", () => {
  const anyBody = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 300 }).map(textOf),
    fc.uint8Array({ maxLength: 12 }),
    fc
      .uint8Array({ maxLength: 200 })
      .map((text) => Uint8Array.from([0x0a, text.length + 2, 0x0a, text.length, ...text])),
  );
  let plain = 0;
  fc.assert(
    fc.property(anyBody, (body) => {
      if (!isPlainText(body)) return;
      plain++;
      expect(contractTakes(body)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
  expect(plain).toBeGreaterThan(200);
});
