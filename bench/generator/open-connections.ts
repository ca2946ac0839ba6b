import type { Account } from "../support/accounts.ts";
import { type ConnectionPool, describeError, MeshConnection, type OnPacket } from "../support/mesh-connection.ts";
import { packetKinds } from "../support/packets.ts";

const connectConcurrency = 32;

/** How to open many connections. */
export interface OpenOptions {
  readonly pool: ConnectionPool;
  readonly port: number;
  readonly accounts: readonly Account[];
  /** What the connection at `index` does with its packets. */
  readonly onPacket: (index: number) => OnPacket;
  readonly fail: (error: Error) => void;
  /** Called at each welcome. */
  readonly onOpen?: () => void;
  /** @default 32 */
  readonly concurrency?: number;
}

/** One connection per account, in the order of the accounts. A refused call or a lost connection fails the load. */
export async function openConnections(options: OpenOptions): Promise<MeshConnection[]> {
  const { pool, port, accounts, fail } = options;
  const connections: MeshConnection[] = [];
  let started = 0;
  const worker = async (): Promise<void> => {
    while (started < accounts.length) {
      const index = started++;
      const take = options.onPacket(index);
      const connection = new MeshConnection({
        pool,
        port,
        token: accounts[index]!.token,
        onPacket: (packet, buffer) => {
          if (packet.kind !== packetKinds.error) take(packet, buffer);
          else fail(new Error(`the server refused a call: ${describeError(packet, buffer)}`));
        },
        onClose: (code, reason) => fail(new Error(`the server closed a connection (${code} ${reason})`)),
      });
      await connection.open();
      options.onOpen?.();
      connections[index] = connection;
    }
  };
  await Promise.all(
    Array.from({ length: Math.min(options.concurrency ?? connectConcurrency, accounts.length) }, worker),
  );
  return connections;
}
