/** The server under attack, as its attackers know it. */
export interface Target {
  readonly http: number;
  readonly tcp: number;
  readonly grpc: number;
  readonly udp: number;
  /** Access token of some user. */
  readonly token: string;
  readonly userId: bigint;
  /** Address that streams come from. @default the system chooses */
  readonly from?: string;
}

/** What an attack met: how often each outcome came. */
export type Outcomes = Record<string, number>;

/** Attacks until then (performance.now() of its own thread); answers what it met. */
export type Attack = (target: Target, untilMs: number) => Promise<Outcomes>;

/** Counts one more. */
export function count(outcomes: Outcomes, name: string, times = 1): void {
  outcomes[name] = (outcomes[name] ?? 0) + times;
}

/** Runs so many lanes of one step after the other until then; a step that rejects counts as "failed". */
export async function inLanes(
  lanes: number,
  untilMs: number,
  outcomes: Outcomes,
  step: () => Promise<string>,
): Promise<Outcomes> {
  const lane = async (): Promise<void> => {
    while (performance.now() < untilMs) count(outcomes, await step().catch(() => "failed"));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return outcomes;
}
