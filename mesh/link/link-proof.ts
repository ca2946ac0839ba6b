import { createHmac, timingSafeEqual } from "node:crypto";

/** Proofs are a moment's: what was overheard is of no use later. */
const caller = "chappe-link-caller";
const answerer = "chappe-link-answerer";

const hmac = (secret: Uint8Array, ...parts: readonly (string | Uint8Array)[]): Buffer => {
  const mac = createHmac("sha256", secret);
  for (const part of parts) mac.update(part).update("\n");
  return mac.digest();
};

/** Proof of the calling end for its name and time. */
export const callerProof = (secret: Uint8Array, instanceId: string, timeMs: number): Buffer =>
  hmac(secret, caller, instanceId, String(timeMs));

/** Proof of the answering end for its name and the proof it was given. */
export const answererProof = (secret: Uint8Array, instanceId: string, proof: Uint8Array): Buffer =>
  hmac(secret, answerer, instanceId, proof);

/** Equal, in a time that does not tell where they differ. */
export const isSameProof = (expected: Uint8Array, given: Uint8Array): boolean =>
  expected.length === given.length && timingSafeEqual(expected, given);
