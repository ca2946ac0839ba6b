import type { Server } from "node:http";
import type { DeviceClass } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { limits } from "@chappe/mesh/limits.ts";
import type { Router } from "@chappe/mesh/rpc/call.ts";
import type { Contracts } from "@chappe/mesh/rpc/contracts.ts";
import type { SessionRegistry } from "@chappe/mesh/rpc/session-registry.ts";
import type { TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import type { Hops } from "@chappe/mesh/telemetry/hops.ts";
import type { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";

/** The bounds that Login keeps, by their names in mesh/limits.ts. */
export type LoginLimits = Readonly<Record<keyof typeof limits, number>>;

/** What Login stands on. */
export interface LoginOptions {
  /** HTTP server whose upgrades at /v1/socket are taken; started and closed by the caller. */
  readonly server: Server;
  readonly loginId: string;
  /** Larger at each start of this process. */
  readonly loginEpoch: number;
  readonly verifier: TokenVerifier;
  readonly registry: SessionRegistry;
  readonly router: Router;
  /** Key of the resume tokens, the same in all Login processes; at least 32 bytes. */
  readonly resumeKey: Uint8Array;
  readonly validator: RequestValidator;
  /** @default Chappe's own contracts */
  readonly contracts?: Contracts;
  /** Origins of pages that may connect, besides the server's own. @default none */
  readonly allowedOrigins?: readonly string[];
  /** Proxies, "10.0.0.0/8" or single addresses, whose X-Forwarded-For on WebSocket upgrades is taken. @default none */
  readonly trustedProxies?: readonly string[];
  /** Classes in which the newest device ends the others. @default none */
  readonly singleDeviceClasses?: readonly DeviceClass[];
  /** Bounds that differ from mesh/limits.ts. @default none */
  readonly limits?: Partial<LoginLimits>;
  /** Timers; stays the caller's to close. @default a wheel of its own */
  readonly wheel?: TimerWheel;
  /** @default says nothing */
  readonly logger?: Logger;
  /** Told of the messages that pass. @default nobody */
  readonly hops?: Hops;
}
