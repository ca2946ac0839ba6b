import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, type JWK } from "jose";

/** Where the signing key is kept: BusinessStore has this method. */
export interface SecretStore {
  secret(name: string, make: () => Promise<Uint8Array>): Promise<Uint8Array>;
}

/** An Ed25519 key and its public half. */
export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** The public key as it stands in the JWKS. */
  readonly publicJwk: JWK;
}

/** A JSON Web Key Set. */
export interface Jwks {
  readonly keys: readonly JWK[];
}

/** Name of the secret that holds the key, as PKCS #8 DER. */
const signingKeySecret = "access-token-ed25519";

/** The signing key of the installation; made and stored at the first start. */
export async function loadSigningKey(store: SecretStore): Promise<SigningKey> {
  const der = await store.secret(signingKeySecret, async () =>
    Uint8Array.from(generateKeyPairSync("ed25519").privateKey.export({ format: "der", type: "pkcs8" })),
  );
  const privateKey = createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(privateKey);
  const { kty, crv, x } = publicKey.export({ format: "jwk" });
  const bare = { kty, crv, x } as JWK;
  const kid = await calculateJwkThumbprint(bare);
  return { kid, privateKey, publicKey, publicJwk: { ...bare, kid, alg: "EdDSA", use: "sig" } };
}
