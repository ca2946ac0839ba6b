import { DeviceClass } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import type { Interceptor } from "@connectrpc/connect";
import { invalidArgument } from "./client-error.ts";
import { randomDeviceId } from "./ids.ts";
import { type ClientLimits, defaultLimits } from "./limits.ts";
import { createMemoryOutbox, type OutboxStore } from "./outbox/outbox-store.ts";
import type { SendHandle } from "./outbox/send-handle.ts";
import { type CursorStore, createMemoryCursors } from "./receive/cursor-store.ts";
import type { Backlog } from "./receive/receiver.ts";
import { fixedToken, type GetToken } from "./session/token-source.ts";
import { createIndexedDbOutbox } from "./stores/indexeddb-outbox.ts";

/** Options of `connect`. */
export interface ConnectOptions {
  /** The server, http: or https:; the socket is at `/v1/socket`. */
  readonly url: string;
  /** One access token. The client is closed when it ends; with `getToken` it lives on. */
  readonly token?: string;
  /** Asked for access tokens, see createTokenSource. Either this or `token`. */
  readonly getToken?: GetToken;
  /** The installation: random once, kept for ever. @default kept in localStorage; outside browsers random each time */
  readonly deviceId?: bigint;
  /** @default WEB in browsers, else BOT */
  readonly deviceClass?: DeviceClass;
  /**
   * Where unsettled sends are kept.
   * @default in browsers an IndexedDB database of the user's, else memory
   */
  readonly outbox?: OutboxStore;
  /** Told when the client takes over sends that an earlier run, or a tab that was closed, has left in the outbox. */
  readonly onAdopted?: (sends: readonly SendHandle[]) => void;
  /** Where positions are kept. @default memory: each start begins as `backlog` says */
  readonly cursors?: CursorStore;
  /**
   * Where conversations without a cursor begin: "all" = at the first readable message, "none" = with what comes after
   * the first connection.
   * @default "all"
   */
  readonly backlog?: Backlog;
  /** With it `connect` settles at once, online or not. The server must agree that the token is this user's. */
  readonly userId?: bigint;
  /** Name and version of the application, for operators. @default "chappe-ts" */
  readonly agent?: string;
  /** Begins hidden from others' presence; see ChappeClient.setInvisible. @default false */
  readonly invisible?: boolean;
  /** Has all messages of this client traced, until the token ends: from support, who make it with `chappe trace-token`. */
  readonly traceToken?: string;
  readonly interceptors?: readonly Interceptor[];
  readonly limits?: Partial<ClientLimits>;
  /** Gives up connecting for the first time; later it does nothing. */
  readonly signal?: AbortSignal;
  /** Time for the first connection. @default 30,000 */
  readonly timeoutMs?: number;
  /** For runtimes without a global WebSocket. @default the global one */
  readonly WebSocket?: new (
    url: string,
  ) => WebSocket;
}

/** Options with every default filled in. */
export interface ResolvedOptions {
  readonly socketUrl: string;
  readonly getToken: GetToken;
  readonly deviceId: bigint;
  readonly deviceClass: DeviceClass;
  readonly outboxOf: (userId: bigint) => OutboxStore;
  readonly onAdopted: (sends: readonly SendHandle[]) => void;
  readonly cursors: CursorStore;
  readonly backlog: Backlog;
  readonly agent: string;
  readonly invisible: boolean;
  readonly limits: ClientLimits;
  readonly timeoutMs: number;
  readonly WebSocket: new (url: string) => WebSocket;
}

/** Checks the options. Throws INVALID_ARGUMENT. */
export function resolveOptions(options: ConnectOptions): ResolvedOptions {
  const { token, getToken, outbox } = options;
  if (getToken === undefined && token === undefined)
    throw invalidArgument("token", "required", "or getToken is needed");
  const browser = typeof document !== "undefined";
  return {
    socketUrl: socketUrl(options.url),
    getToken: getToken ?? fixedToken(token!),
    deviceId: options.deviceId ?? (browser ? keptDeviceId() : randomDeviceId()),
    deviceClass: options.deviceClass ?? (browser ? DeviceClass.WEB : DeviceClass.BOT),
    outboxOf: (userId) => {
      if (outbox !== undefined) return outbox;
      const kept = browser && typeof indexedDB !== "undefined";
      return kept ? createIndexedDbOutbox({ name: `chappe-outbox-${userId}` }) : createMemoryOutbox();
    },
    onAdopted: options.onAdopted ?? (() => {}),
    cursors: options.cursors ?? createMemoryCursors(),
    backlog: options.backlog ?? "all",
    agent: options.agent ?? "chappe-ts",
    invisible: options.invisible ?? false,
    limits: Object.freeze({ ...defaultLimits, ...options.limits }),
    timeoutMs: options.timeoutMs ?? 30_000,
    WebSocket: options.WebSocket ?? globalThis.WebSocket,
  };
}

/** The socket of a server. Throws INVALID_ARGUMENT. */
function socketUrl(url: string): string {
  if (!/^(https?|wss?):\/\//i.test(url)) throw invalidArgument("url", "scheme", "must begin with http:// or https://");
  return `${url.replace(/^http/i, "ws").replace(/\/+$/, "")}/v1/socket`;
}

/** Tabs of one browser are one installation. */
function keptDeviceId(): bigint {
  const key = "chappe-device-id";
  try {
    const kept = localStorage.getItem(key);
    if (kept !== null && /^[1-9]\d{0,18}$/.test(kept)) return BigInt(kept);
    const fresh = randomDeviceId();
    localStorage.setItem(key, fresh.toString());
    return fresh;
  } catch {
    // Storage may be forbidden: then each start is an installation of its own.
    return randomDeviceId();
  }
}
