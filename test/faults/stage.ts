import { type Account, registerAccounts } from "@chappe/bench/support/accounts.ts";
import { MeshProcesses } from "@chappe/bench/support/mesh-processes.ts";
import type { SeededRandom } from "../history/seeded-random.ts";
import { type BreakName, breakEnvironment } from "./breaks.ts";
import { framesOver, type TransportKind } from "./frames-over.ts";
import type { FaultTarget, SilentAccounts } from "./run-under-load.ts";
import type { StageEngines } from "./stage-engines.ts";

/** Processes of a mesh on their engines, up for as many runs as wanted. */
export interface Stage {
  readonly mesh: MeshProcesses;
  /** undefined = the embedded ones. */
  readonly engines: StageEngines | undefined;
  /** Ports of all Logins. */
  readonly logins: readonly string[];
  readonly silent: SilentAccounts;
  close(): Promise<void>;
}

/** What a stage is made of. */
export interface StageOptions {
  /** Roles by name. */
  readonly members: Readonly<Record<string, string>>;
  readonly startEngines?: () => Promise<StageEngines>;
  /** A safety measure that the processes are to do without. */
  readonly breaking?: BreakName | undefined;
}

/** Registers accounts once for all worlds of a stage. */
function createSilentAccounts(): SilentAccounts {
  const accounts: Account[] = [];
  return {
    async atLeast(count, port) {
      const missing = count - accounts.length;
      if (missing > 0) accounts.push(...(await registerAccounts({ port, count: missing })));
      return accounts;
    },
  };
}

/** Starts the engines and then the processes. */
export async function openStage({ members, startEngines, breaking }: StageOptions): Promise<Stage> {
  const mesh = new MeshProcesses();
  const engines = await startEngines?.();
  const close = async (): Promise<void> => {
    await mesh.close();
    await engines?.close();
  };
  try {
    const more = breaking === undefined ? {} : breakEnvironment(breaking);
    await mesh.start(members, undefined, (name) => ({ ...engines?.envOf(members[name]!), ...more }));
  } catch (error) {
    await close();
    throw error;
  }
  const logins = Object.keys(members).filter((name) => name.startsWith("login"));
  return { mesh, engines, logins, silent: createSilentAccounts(), close };
}

/** Where the clients of a run connect: each time to any Login, as by way of a balancer, and over these transports. */
export function clientsOf({ mesh, logins }: Stage, random: SeededRandom, kinds: readonly TransportKind[]) {
  return {
    httpPort: () => mesh.port(random.pick(logins)),
    clientPort: () => mesh.port(random.pick(logins)),
    clientSocket: (index) => framesOver(kinds[index % kinds.length]!, () => mesh.ready(random.pick(logins))),
  } satisfies Partial<FaultTarget>;
}
