import { WireReader } from "../codec/wire-reader.ts";

const messageTag = 0x12;
const loggedTimeTag = 0x28;

/** When the log took the first message of tagged bytes, Unix milliseconds; 0 when it does not say. */
export function firstLoggedTimeMs(bytes: Uint8Array): number {
  const reader = new WireReader(bytes, "CORRUPT");
  if (!reader.take(messageTag)) reader.fail("tagged messages hold another field");
  reader.enter();
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === loggedTimeTag) return reader.number();
    reader.skip(tag);
  }
  return 0;
}
