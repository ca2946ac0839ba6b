import type { DeviceClass } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { Router } from "@chappe/mesh/rpc/call.ts";
import type { Contracts } from "@chappe/mesh/rpc/contracts.ts";
import type { SessionRegistry } from "@chappe/mesh/rpc/session-registry.ts";
import type { TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import type { Hops } from "@chappe/mesh/telemetry/hops.ts";
import type { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import type { DevicePolicy } from "./device-policy.ts";
import type { LoginLimits } from "./login-options.ts";
import type { LoginStats } from "./login-stats.ts";
import type { Outbox } from "./outbox.ts";
import type { Receipts } from "./receipts.ts";
import type { ResumeTokens } from "./resume-token.ts";
import type { SessionIndex } from "./session-index.ts";
import type { TransportKind } from "./transport.ts";

/** What all sessions of a process share. */
export interface SessionContext {
  readonly loginId: string;
  readonly loginEpoch: number;
  readonly limits: LoginLimits;
  readonly verifier: TokenVerifier;
  readonly registry: SessionRegistry;
  readonly router: Router;
  readonly contracts: Contracts;
  readonly validator: RequestValidator;
  readonly resumeTokens: ResumeTokens;
  readonly singleDeviceClasses: ReadonlySet<DeviceClass>;
  readonly sessions: SessionIndex;
  readonly devicePolicy: DevicePolicy;
  readonly receipts: Receipts;
  readonly outbox: Outbox;
  readonly wheel: TimerWheel;
  readonly stats: LoginStats;
  readonly logger: Logger;
  readonly hops: Hops;
  /** Called once for each connection when its transport is closed. */
  readonly onConnectionClosed: (kind: TransportKind) => void;
}
