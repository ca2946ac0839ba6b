import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";

/** Cost of argon2id. */
export interface PasswordCost {
  /** @default 19,456 */
  readonly memoryKib: number;
  /** @default 2 */
  readonly passes: number;
}

/** Makes and checks PHC strings of argon2id, a few at a time. */
export interface PasswordHasher {
  /** OVERLOADED when too many wait. */
  hash(password: string): Promise<string>;
  /** Undefined = there is no such account: takes as long and answers false. OVERLOADED when too many wait. */
  verify(password: string, phc: string | undefined): Promise<boolean>;
}

const run = promisify(argon2);
const tagBytes = 32;
const saltBytes = 16;
const pattern = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64").replace(/=+$/, "");

const derive = async (password: string, nonce: Uint8Array, cost: PasswordCost): Promise<Buffer> => {
  const { memoryKib: memory, passes } = cost;
  return run("argon2id", { message: password, nonce, parallelism: 1, tagLength: tagBytes, memory, passes });
};

/** A hasher; the OWASP minimum of cost unless given. */
export function createPasswordHasher(cost: PasswordCost = { memoryKib: 19_456, passes: 2 }): PasswordHasher {
  let running = 0;
  const waiting: (() => void)[] = [];
  const noAccountSalt = randomBytes(saltBytes);

  const limited = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= limits.maxPasswordChecks) {
      if (waiting.length >= limits.maxPasswordQueue) {
        throw new ChappeError("OVERLOADED", undefined, { retryAfterMs: 1_000 });
      }
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    } else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };

  return {
    hash: (password) =>
      limited(async () => {
        const salt = randomBytes(saltBytes);
        const tag = await derive(password, salt, cost);
        return `$argon2id$v=19$m=${cost.memoryKib},t=${cost.passes},p=1$${base64(salt)}$${base64(tag)}`;
      }),
    verify: (password, phc) =>
      limited(async () => {
        const [, memory, passes, salt, tag] = pattern.exec(phc ?? "") ?? [];
        if (salt === undefined || tag === undefined) {
          await derive(password, noAccountSalt, cost);
          return false;
        }
        const stored = { memoryKib: Number(memory), passes: Number(passes) };
        return timingSafeEqual(await derive(password, Buffer.from(salt, "base64"), stored), Buffer.from(tag, "base64"));
      }),
  };
}
