import { ChappeClientError } from "../client-error.ts";

/** Why a token is wanted: a first one, a fresh one before the end, or a new one because the old was refused. */
export type TokenReason = "connect" | "refresh" | "expired";

/** Answers an access token. Throw a ChappeClientError that is not retryable when there will never be one. */
export type GetToken = (reason: TokenReason) => Promise<string> | string;

/** A source that only ever has one token. */
export function fixedToken(token: string): GetToken {
  return (reason) => {
    if (reason === "connect") return token;
    throw new ChappeClientError("UNAUTHENTICATED", "the token has ended and there is no getToken to ask for another");
  };
}
