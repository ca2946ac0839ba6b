import type { Account } from "../support/accounts.ts";
import { type ConnectionPool, describeError, MeshConnection, type OnPacket } from "../support/mesh-connection.ts";
import { packetKinds } from "../support/packets.ts";
import { wait } from "./traffic-meter.ts";

const connectConcurrency = 32;
const retryWithinMs = 1_000;

/** How to open many connections. */
export interface OpenOptions {
  readonly pool: ConnectionPool;
  readonly port: number;
  readonly accounts: readonly Account[];
  /** What the connection at `index` does with its packets. */
  readonly onPacket: (index: number) => OnPacket;
  readonly fail: (error: Error) => void;
  /** Called at each welcome, in no order. */
  readonly onOpen?: (connection: MeshConnection) => void;
  /** A connection that cannot be opened is tried again so often, as clients do; told each time. @default 0 */
  readonly retries?: number;
  readonly onRetry?: () => void;
  /** @default 32 */
  readonly concurrency?: number;
}

/** One connection per account, in the order of the accounts. A refused call or a lost connection fails the load. */
export async function openConnections(options: OpenOptions): Promise<MeshConnection[]> {
  const { pool, port, accounts, fail } = options;
  const connections: MeshConnection[] = [];
  let started = 0;
  const connectionOf = (index: number): MeshConnection => {
    const take = options.onPacket(index);
    return new MeshConnection({
      pool,
      port,
      token: accounts[index]!.token,
      onPacket: (packet, buffer) => {
        if (packet.kind !== packetKinds.error) take(packet, buffer);
        else fail(new Error(`the server refused a call: ${describeError(packet, buffer)}`));
      },
      onClose: (code, reason) => fail(new Error(`the server closed a connection (${code} ${reason})`)),
    });
  };
  const open = async (index: number, retries: number): Promise<MeshConnection> => {
    const connection = connectionOf(index);
    try {
      await connection.open();
      return connection;
    } catch (error) {
      if (retries === 0) throw error;
      options.onRetry?.();
      await wait(Math.random() * retryWithinMs);
      return open(index, retries - 1);
    }
  };
  const worker = async (): Promise<void> => {
    while (started < accounts.length) {
      const index = started++;
      const connection = await open(index, options.retries ?? 0);
      connections[index] = connection;
      options.onOpen?.(connection);
    }
  };
  await Promise.all(
    Array.from({ length: Math.min(options.concurrency ?? connectConcurrency, accounts.length) }, worker),
  );
  return connections;
}
