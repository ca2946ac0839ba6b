import type { Tokens } from "@chappe/sdk/src/index.ts";

const key = "chappe-session";

/** Whether a value is a stored set of tokens. */
function isStored(value: unknown): value is Record<keyof Tokens, string | number> {
  return typeof value === "object" && value !== null && "refreshToken" in value && "userId" in value;
}

/** The session of this tab, kept over reloads. Each tab has its own, so that two tabs may be two users. */
export function loadSession(storage: Storage): Tokens | undefined {
  try {
    const stored: unknown = JSON.parse(storage.getItem(key) ?? "null");
    if (!isStored(stored)) return undefined;
    return {
      userId: BigInt(stored.userId),
      accessToken: String(stored.accessToken),
      accessExpiresTimeMs: Number(stored.accessExpiresTimeMs),
      refreshToken: String(stored.refreshToken),
    };
  } catch {
    return undefined;
  }
}

/** Keeps the session; undefined forgets it. */
export function saveSession(storage: Storage, tokens: Tokens | undefined): void {
  if (tokens === undefined) storage.removeItem(key);
  else storage.setItem(key, JSON.stringify({ ...tokens, userId: tokens.userId.toString() }));
}
