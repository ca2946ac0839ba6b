import { AuthService, type Tokens as WireTokens } from "@chappe/gen/proto/chappe/business/v1/auth_service_pb.ts";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { ChappeClientError } from "./client-error.ts";
import type { GetToken } from "./session/token-source.ts";

/** The tokens of a signed-in session. */
export interface Tokens {
  readonly userId: bigint;
  /** For `connect` and for calls over HTTP. */
  readonly accessToken: string;
  /** When the access token ends, in Unix milliseconds of the server. */
  readonly accessExpiresTimeMs: number;
  /** For `refresh`; works once. Keep it secret. */
  readonly refreshToken: string;
}

/** Where the server is, and how long to wait for it. */
export interface ServerOptions {
  /** http: or https:, e.g. "http://127.0.0.1:8080". */
  readonly url: string;
  readonly signal?: AbortSignal | undefined;
  /** @default 10,000 */
  readonly timeoutMs?: number | undefined;
}

/** Name and password of an account. */
export interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** A transport for short connections (Connect over HTTP); `accessToken` goes into the Authorization header. */
export function createHttpTransport(options: { readonly url: string; readonly accessToken?: string }): Transport {
  const { accessToken } = options;
  return createConnectTransport({
    baseUrl: options.url.replace(/\/+$/, ""),
    useBinaryFormat: true,
    interceptors:
      accessToken === undefined
        ? []
        : [
            (next) => (request) => {
              request.header.set("authorization", `Bearer ${accessToken}`);
              return next(request);
            },
          ],
  });
}

/** Makes an account and signs it in. Rejects with ChappeClientError: ALREADY_EXISTS, INVALID_ARGUMENT ... */
export function register(options: ServerOptions & Credentials & { readonly displayName?: string }): Promise<Tokens> {
  const { name, password, displayName = "" } = options;
  return ask(options, (auth, bounds) => auth.register({ name, password, displayName }, bounds));
}

/** Signs in. Rejects with ChappeClientError: WRONG_CREDENTIALS ... */
export function signIn(options: ServerOptions & Credentials): Promise<Tokens> {
  const { name, password } = options;
  return ask(options, (auth, bounds) => auth.signIn({ name, password }, bounds));
}

/** Exchanges a refresh token for fresh tokens. Rejects with ChappeClientError: TOKEN_INVALID, SESSION_REVOKED ... */
export function refresh(options: ServerOptions & { readonly refreshToken: string }): Promise<Tokens> {
  const { refreshToken } = options;
  return ask(options, (auth, bounds) => auth.refresh({ refreshToken }, bounds));
}

/** Ends the token's session, or all of the user's. Its live connections are closed. */
export async function signOut(
  options: ServerOptions & { readonly accessToken: string; readonly everywhere?: boolean },
): Promise<void> {
  const auth = createClient(AuthService, createHttpTransport(options));
  await auth.signOut({ everywhere: options.everywhere ?? false }, boundsOf(options)).catch(throwClientError);
}

/**
 * A `getToken` for `connect` that refreshes by itself. `onTokens` sees each fresh set before it is used: store it, the
 * old refresh token is used up.
 */
export function createTokenSource(options: {
  readonly url: string;
  readonly tokens: Tokens;
  readonly onTokens?: (tokens: Tokens) => void | Promise<void>;
}): GetToken {
  let tokens = options.tokens;
  let pending: Promise<Tokens> | undefined;
  const renew = async (): Promise<Tokens> => {
    const fresh = await refresh({ url: options.url, refreshToken: tokens.refreshToken });
    tokens = fresh;
    await options.onTokens?.(fresh);
    return fresh;
  };
  return async (reason) => {
    if (reason === "connect") return tokens.accessToken;
    pending ??= renew().finally(() => {
      pending = undefined;
    });
    return (await pending).accessToken;
  };
}

type Bounds = { readonly signal?: AbortSignal; readonly timeoutMs: number };

function boundsOf({ signal, timeoutMs = 10_000 }: ServerOptions): Bounds {
  return signal === undefined ? { timeoutMs } : { timeoutMs, signal };
}

async function ask(
  options: ServerOptions,
  call: (auth: Client<typeof AuthService>, bounds: Bounds) => Promise<{ tokens?: WireTokens | undefined }>,
): Promise<Tokens> {
  const auth = createClient(AuthService, createHttpTransport({ url: options.url }));
  const { tokens } = await call(auth, boundsOf(options)).catch(throwClientError);
  if (tokens === undefined) throw new ChappeClientError("INTERNAL", "the server answered without tokens");
  return {
    userId: tokens.userId,
    accessToken: tokens.accessToken,
    accessExpiresTimeMs: Number(tokens.accessExpiresTimeMs),
    refreshToken: tokens.refreshToken,
  };
}

function throwClientError(error: unknown): never {
  throw ChappeClientError.from(error);
}
