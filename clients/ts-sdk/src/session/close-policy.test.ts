import { closeCodes } from "@chappe/gen/errors.ts";
import { describe, expect, test } from "vitest";
import { ChappeClientError } from "../client-error.ts";
import { closeCodeOfError, endingOfClose, endingOfError } from "./close-policy.ts";

describe("each close code does what the registry says", () => {
  test.each(Object.values(closeCodes))("$name", ({ code, reconnect }) => {
    const ending = endingOfClose({ code, reason: "", error: undefined });
    if (reconnect === "never") expect(ending.kind).toBe("stop");
    else expect(ending).toMatchObject({ kind: "retry", newToken: reconnect === "after-token" });
  });
});

test.each([1000, 1005, 1006, 1011, 4999])("code %i, unknown to the registry, is a loss: reconnect", (code) => {
  expect(endingOfClose({ code, reason: "", error: undefined })).toMatchObject({ kind: "retry", newToken: false });
});

test("the server's own words come before the code's, and its time before the backoff", () => {
  const error = new ChappeClientError("OVERLOADED", "too many of you", { retryAfterMs: 700 });
  expect(endingOfClose({ code: 4010, reason: "full", error })).toEqual({
    kind: "retry",
    reason: error,
    newToken: false,
    afterMs: 700,
  });
  expect(endingOfClose({ code: 4010, reason: "full", error: undefined }).reason).toMatchObject({
    name: "OVERLOADED",
    message: "full",
  });
});

test("a refused Hello is judged by its name", () => {
  expect(endingOfError(new ChappeClientError("TOKEN_EXPIRED"))).toMatchObject({ kind: "retry", newToken: true });
  expect(endingOfError(new ChappeClientError("SESSION_REVOKED")).kind).toBe("stop");
  expect(endingOfError(new ChappeClientError("OVERLOADED"))).toMatchObject({ kind: "retry", newToken: false });
  expect(closeCodeOfError(new ChappeClientError("TOKEN_EXPIRED"))).toBe(4004);
  expect(closeCodeOfError(new ChappeClientError("UNAVAILABLE"))).toBe(4008);
});
