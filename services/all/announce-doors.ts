import { type DoorKind, doorRole } from "@chappe/mesh/directory/door-roles.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";

/** What announceDoors needs. */
export interface DoorsOptions {
  readonly directory: Directory;
  readonly instanceId: string;
  /** Host under which others reach this process, and further addresses of its HTTP and TCP ports. */
  readonly advertiseHost: string;
  readonly extraHosts: readonly string[];
  readonly ports: Readonly<Partial<Record<DoorKind, number>>>;
  readonly logger: Logger;
}

const spread: ReadonlySet<DoorKind> = new Set(["http", "tcp"]);

const addressOf = (host: string, port: number): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

/**
 * Tells the Directory where clients, or the proxy before them, come in. Answers the end, which never rejects: an entry
 * that cannot be taken back lapses by itself.
 */
export async function announceDoors(options: DoorsOptions): Promise<() => Promise<void>> {
  const { directory, instanceId, advertiseHost, extraHosts, ports, logger } = options;
  const leaves: (() => Promise<void>)[] = [];
  const leave = async (): Promise<void> => {
    for (const one of await Promise.allSettled(leaves.splice(0).map((each) => each())))
      if (one.status === "rejected") logger.warn("doors.leave-failed", { error: one.reason });
  };
  try {
    for (const [kind, port] of Object.entries(ports) as [DoorKind, number][]) {
      const hosts = [advertiseHost, ...(spread.has(kind) ? extraHosts : [])];
      for (const [n, host] of hosts.entries()) {
        const id = n === 0 ? instanceId : `${instanceId}@${n}`;
        leaves.push(await directory.register({ role: doorRole(kind), id, address: addressOf(host, port) }));
      }
    }
  } catch (error) {
    await leave();
    throw error;
  }
  return leave;
}
