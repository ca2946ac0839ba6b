import { ChappeClientError } from "@chappe/sdk/src/index.ts";
import { expect, test } from "vitest";
import { statusText } from "./status-banner.ts";

test("is silent when all is well and tells a first connection from a later one", () => {
  expect(statusText({ state: "online" }, true)).toBe("");
  expect(statusText({ state: "connecting" }, false)).toBe("Connecting…");
  expect(statusText({ state: "connecting" }, true)).toBe("Reconnecting…");
});

test("promises offline that nothing is lost, and says why it is over", () => {
  const reason = new ChappeClientError("UNAVAILABLE");
  expect(statusText({ state: "offline", reason, retryInMs: 500 }, true)).toContain("kept, and sent when you are back");
  const over = { state: "closed", reason: new ChappeClientError("SESSION_REVOKED") } as const;
  expect(statusText(over, true)).toBe("You were signed out.");
});
