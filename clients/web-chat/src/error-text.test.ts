import { ChappeClientError } from "@chappe/sdk/src/index.ts";
import { expect, test } from "vitest";
import { errorText, fieldErrors } from "./error-text.ts";

const bad = (field: string): ChappeClientError =>
  new ChappeClientError("INVALID_ARGUMENT", "bad", { violations: [{ field, rule: "r", message: "too odd" }] });

test("tells errors in words", () => {
  expect(errorText(new ChappeClientError("WRONG_CREDENTIALS"))).toBe("The name or the password is wrong.");
  expect(errorText(new ChappeClientError("RATE_LIMITED", "x", { retryAfterMs: 1_500 }))).toContain("in 2 s");
  expect(errorText(bad("colour"))).toBe("colour: too odd");
});

test("puts errors to their fields, with the rule in words when there is one", () => {
  expect([...fieldErrors(new ChappeClientError("ALREADY_EXISTS"))]).toEqual([["name", "This name is taken."]]);
  expect(fieldErrors(bad("password")).get("password")).toBe("8 to 256 characters.");
  expect(fieldErrors(bad("colour")).get("colour")).toBe("too odd");
  expect(fieldErrors(new ChappeClientError("UNAVAILABLE")).size).toBe(0);
});
