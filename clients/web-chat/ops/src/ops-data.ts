/** Figures of the roles of a process; a role that it does not have is missing. */
export interface OpsFigures {
  readonly login?: {
    readonly connections: number;
    readonly connectionsBy: Readonly<Record<string, number>>;
    readonly packetsIn: number;
    readonly pushes: number;
  };
  readonly writer?: {
    readonly committedMessages: number;
    readonly duplicates: number;
    readonly lag: number;
    readonly stopped: readonly unknown[];
  };
  readonly push?: { readonly lag: number; readonly devices: number; readonly dropped: number };
  /** Messages that wait for the log. */
  readonly waiting?: number;
  readonly delivery?: { readonly within120Ms: number; readonly within1S: number; readonly count: number };
  readonly limits: { readonly maxConnections?: number; readonly maxLaneMessages?: number };
  readonly process: {
    readonly delayP50: number;
    readonly delayP99: number;
    readonly utilization: number;
    readonly residentBytes: number;
  };
}

/** A message that took long. */
export interface SlowMessage {
  readonly id: string;
  readonly seq: number;
  readonly sentMs: number;
  readonly tookMs: number;
  readonly isOnDevice: boolean;
}

/** A failure on demand. */
export interface SwitchState {
  readonly name: string;
  /** 0 = off. */
  readonly leftMs: number;
}

/** /ops/stats.json. */
export interface OpsStats {
  readonly instance: string;
  readonly timeMs: number;
  readonly figures: OpsFigures;
  readonly slow: readonly SlowMessage[];
  /** In development mode alone. */
  readonly switches?: readonly SwitchState[];
}

/** A pass of a message through a role. */
export interface TracedHop {
  readonly hop: string;
  readonly instance: string;
  /** Since the first hop. */
  readonly afterMs: number;
  readonly tookMs?: number;
  readonly note: string;
}

/** /trace: where a message is. */
export interface TraceReport {
  readonly state: string;
  readonly reason: string;
  readonly seq: number;
  readonly hops: readonly TracedHop[];
}

async function read<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(path, init);
  if (!response.ok) throw new Error((await response.text()).trim());
  return (await response.json()) as T;
}

/** What the process says of itself. */
export const readStats = (): Promise<OpsStats> => read("/ops/stats.json");

/** Where a message is, by its client message id. */
export const readTrace = (id: string): Promise<TraceReport> => read(`/trace?id=${encodeURIComponent(id)}`);

/** Turns a failure on for so long; 0 turns it off. */
export const setSwitch = (name: string, forMs: number): Promise<readonly SwitchState[]> =>
  read("/ops/switch", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name, forMs }),
  });
