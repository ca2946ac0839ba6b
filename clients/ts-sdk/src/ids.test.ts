import { expect, test } from "vitest";
import {
  conversationIdFromString,
  conversationIdToString,
  directConversationId,
  directUsers,
  isGroupConversation,
  randomDeviceId,
  toConversationId,
  userIdFromString,
  userIdToString,
} from "./ids.ts";

test("a direct conversation is the same for both, and names its users", () => {
  const id = directConversationId(0x0102_0304_0506_0708n, 5n);
  expect(conversationIdToString(id)).toBe("00000000000000050102030405060708");
  expect(directConversationId(5n, 0x0102_0304_0506_0708n)).toEqual(id);
  expect(directUsers(id)).toEqual([5n, 0x0102_0304_0506_0708n]);
  const group = Uint8Array.from(id).fill(0x80, 0, 1);
  expect(isGroupConversation(group)).toBe(true);
  expect(directUsers(group)).toBeUndefined();
});

test("ids go to text and back", () => {
  const id = directConversationId(1n, 2n);
  expect(conversationIdFromString(conversationIdToString(id))).toEqual(id);
  expect(toConversationId(id)).not.toBe(id);
  expect(userIdFromString(userIdToString(2n ** 63n - 1n))).toBe(2n ** 63n - 1n);
});

test.each(["", "00", "z".repeat(32), "0".repeat(33)])("conversation %j is refused", (text) => {
  expect(() => conversationIdFromString(text)).toThrowError(expect.objectContaining({ name: "INVALID_ARGUMENT" }));
});

test.each(["", "-1", "1.5", "9223372036854775808", "x"])("user %j is refused", (text) => {
  expect(() => userIdFromString(text)).toThrowError(expect.objectContaining({ name: "INVALID_ARGUMENT" }));
});

test("device ids are positive and have the top bit clear", () => {
  for (let i = 0; i < 100; i++) {
    const id = randomDeviceId();
    expect(id > 0n && id < 1n << 63n).toBe(true);
  }
});
