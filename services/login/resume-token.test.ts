import { describe, expect, test } from "vitest";
import { createResumeTokens } from "./resume-token.ts";

const claims = {
  userId: 0x7fff_ffff_ffff_fff1n,
  sessionId: 42n,
  sessionVersion: 3,
  expiresTimeMs: 1_790_000_000_123,
};
const tokens = createResumeTokens(new Uint8Array(32).fill(1));

describe("ResumeTokens", () => {
  test("give the claims back for the same device, with the same token or none", () => {
    const signed = tokens.sign(claims, 9n, "jwt");
    expect(tokens.open(signed, 9n, "jwt")).toEqual(claims);
    expect(tokens.open(signed, 9n, "")).toEqual(claims);
    expect(signed.length).toBeLessThanOrEqual(256);
  });

  test("are void for another device, another token, another key, another length", () => {
    const signed = tokens.sign(claims, 9n, "jwt");
    expect(tokens.open(signed, 8n, "jwt")).toBeUndefined();
    expect(tokens.open(signed, 9n, "newer jwt")).toBeUndefined();
    expect(createResumeTokens(new Uint8Array(32).fill(2)).open(signed, 9n, "jwt")).toBeUndefined();
    expect(tokens.open(signed.subarray(1), 9n, "jwt")).toBeUndefined();
    expect(tokens.open(new Uint8Array(0), 9n, "jwt")).toBeUndefined();
  });

  test("any flipped bit voids them", () => {
    const signed = tokens.sign(claims, 9n, "jwt");
    for (let i = 0; i < signed.length; i++) {
      const forged = Uint8Array.from(signed);
      forged[i] = forged[i]! ^ 1;
      expect(tokens.open(forged, 9n, "jwt"), `byte ${i}`).toBeUndefined();
    }
  });

  test("a short key is refused", () => {
    expect(() => createResumeTokens(new Uint8Array(16))).toThrow(RangeError);
  });
});
