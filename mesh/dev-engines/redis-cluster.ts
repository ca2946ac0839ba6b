import { Redis } from "ioredis";
import { ChappeError } from "../errors/chappe-error.ts";
import type { StartedServer } from "./engine-server.ts";

/** Every further node is a replica of one of them. */
const redisMasters = 3;
const slots = 16_384;
const retryMs = 50;

/** A server of the cluster to be. */
export interface ClusterNode extends StartedServer {
  readonly port: number;
}

/** A client that is always trying, for the set-up. */
export function openSetupClient(port: number): Redis {
  const client = new Redis({ host: "127.0.0.1", port, retryStrategy: () => retryMs });
  client.on("error", () => undefined);
  return client;
}

function want(condition: boolean, otherwise: string): void {
  if (!condition) throw new ChappeError("UNAVAILABLE", otherwise);
}

async function assignSlots(nodes: readonly ClusterNode[], clients: readonly Redis[]): Promise<void> {
  const each = slots / redisMasters;
  for (let i = 0; i < redisMasters; i++) {
    const [first, last] = [Math.ceil(i * each), Math.ceil((i + 1) * each) - 1];
    await clients[i]!.call("CLUSTER", "ADDSLOTSRANGE", String(first), String(last));
  }
  for (const { port } of nodes.slice(1)) await clients[0]!.call("CLUSTER", "MEET", "127.0.0.1", String(port));
  const ids = await Promise.all(clients.map((client) => client.call("CLUSTER", "MYID") as Promise<string>));
  for (let i = redisMasters; i < nodes.length; i++) {
    const master = ids[i % redisMasters]!;
    await nodes[i]!.ready(async () => void (await clients[i]!.call("CLUSTER", "REPLICATE", master)));
  }
}

/** Makes the servers one cluster, unless they remember that they are, and waits until each sees all slots and replicas. */
export async function joinRedisCluster(nodes: readonly ClusterNode[], clients: readonly Redis[]): Promise<void> {
  const before = String(await clients[0]!.call("CLUSTER", "INFO"));
  if (before.includes("cluster_slots_assigned:0")) await assignSlots(nodes, clients);
  for (const [i, client] of clients.entries()) {
    await nodes[i]!.ready(async () => {
      const info = String(await client.call("CLUSTER", "INFO"));
      const rows = (await client.call("CLUSTER", "SLOTS")) as unknown[][];
      want(info.includes("cluster_state:ok"), "the cluster is not ok");
      want(rows.length === redisMasters, `${rows.length} masters have slots`);
      want(nodes.length === redisMasters || rows.every((row) => row.length > 3), "replicas are missing");
    });
  }
}
