import { expect, test } from "vitest";
import { readChatOptions } from "./chat-options.ts";

test("takes arguments before the environment before defaults", () => {
  expect(readChatOptions(["--as", "alice"], {})).toEqual({
    name: "alice",
    password: undefined,
    url: "http://127.0.0.1:8080",
    register: false,
    stateDirectory: undefined,
  });
  const env = { CHAPPE_USER: "bob", CHAPPE_PASSWORD: "p", CHAPPE_URL: "https://chat.example/", CHAPPE_CHAT_STATE: "s" };
  const fromEnv = { name: "bob", password: "p", url: "https://chat.example", register: false, stateDirectory: "s" };
  expect(readChatOptions([], env)).toEqual(fromEnv);
  const args = ["--as", "eve", "--password", "q", "--url", "http://h:1", "--register", "--state", "t"];
  const fromArgs = { name: "eve", password: "q", url: "http://h:1", register: true, stateDirectory: "t" };
  expect(readChatOptions(args, env)).toEqual(fromArgs);
  expect(readChatOptions(["--as", "eve"], { CHAPPE_PORT: "9" })?.url).toBe("http://127.0.0.1:9");
});

test("answers nothing when help is asked for", () => {
  expect(readChatOptions(["--help"], {})).toBeUndefined();
});

test.each([
  [[], /--as/],
  [["--as"], /--as/],
  [["--as", "a", "--nonsense"], /--nonsense/],
  [["--as", "a", "--url", "127.0.0.1:8080"], /--url/],
  [["--as", "a", "--url", "ftp://x"], /--url/],
])("refuses %j and says how it goes", (args, text) => {
  expect(() => readChatOptions(args, {})).toThrow(text);
  expect(() => readChatOptions(args, {})).toThrow(/usage:/);
});
