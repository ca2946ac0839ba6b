/** Who makes access tokens and for whom; the same for signer and verifiers of one installation. */
export interface TokenAudience {
  readonly issuer: string;
  readonly audience: string;
}

/** Issuer and audience unless configured. */
export const defaultTokenAudience: TokenAudience = Object.freeze({ issuer: "chappe", audience: "chappe" });

/** JWT header `typ` of access tokens, RFC 9068. */
export const accessTokenType = "at+jwt";
