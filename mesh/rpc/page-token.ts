import { invalidArgument } from "./invalid-argument.ts";

/** A page token: the key of the last item of the page. */
export function pageToken(lastKey: Uint8Array): string {
  return Buffer.from(lastKey.buffer, lastKey.byteOffset, lastKey.byteLength).toString("base64url");
}

/** The key in a page token, undefined for the first page. INVALID_ARGUMENT when it is not one of `keyBytes` bytes. */
export function parsePageToken(token: string, keyBytes: number): Uint8Array | undefined {
  if (token === "") return undefined;
  const key = Uint8Array.from(Buffer.from(token, "base64url"));
  if (key.byteLength !== keyBytes || pageToken(key) !== token)
    throw invalidArgument("page_token", "page_token", "is not a token of this list");
  return key;
}
