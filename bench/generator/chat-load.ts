import { createConnectionPool } from "../support/mesh-connection.ts";
import { addresses, packetKinds } from "../support/packets.ts";
import type { ChatLoad, TrafficResult } from "./load-config.ts";
import { openConnections } from "./open-connections.ts";
import { ReceiveCheck } from "./receive-check.ts";
import { runLanes } from "./run-lanes.ts";
import { SendLane } from "./send-lane.ts";
import { TrafficMeter } from "./traffic-meter.ts";

/** The conversation of two users, given as decimal ids. */
function directId(a: string, b: string): Buffer {
  const ids = [BigInt(a), BigInt(b)].sort((x, y) => (x < y ? -1 : 1));
  const id = Buffer.alloc(16);
  ids.forEach((user, i) => {
    id.writeBigUInt64BE(user, i * 8);
  });
  return id;
}

/** Pairs that chat in one direction; see ChatLoad. */
export async function runChatLoad(config: ChatLoad): Promise<TrafficResult> {
  const { accounts, port, window, textBytes } = config;
  const pool = createConnectionPool();
  const meter = new TrafficMeter();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});
  const lanes: SendLane[] = [];
  const conversations = accounts.map((account, i) => directId(account.userId, accounts[i ^ 1]!.userId));
  const keys = conversations.map((id) => id.toString("latin1"));
  try {
    const connections = await openConnections({
      pool,
      port,
      accounts,
      fail: failure.reject,
      onPacket: (index) => {
        const pair = index >> 1;
        if (index % 2 === 0)
          return (packet) => {
            if (packet.kind === packetKinds.response) lanes[pair]!.onAck(packet.id, performance.now());
          };
        let nowMs = 0;
        const check = new ReceiveCheck(0, meter, (counter) => lanes[pair]!.onDelivered(counter, nowMs));
        return (packet, buffer) => {
          if (!packet.isPush(addresses.messageArrived)) return;
          nowMs = performance.now();
          try {
            check.take(packet, buffer);
          } catch (error) {
            failure.reject(error);
          }
          connections[index]!.acknowledge(keys[index]!, conversations[index]!, check.seq, nowMs);
        };
      },
    });
    for (let i = 0; i < accounts.length; i += 2) {
      const connection = connections[i]!;
      lanes.push(
        new SendLane({ connection, conversationId: conversations[i]!, textBytes, window, receivers: 1, meter }),
      );
    }
    const result = await runLanes({
      ...config,
      lanes,
      meter,
      connections: connections.length,
      failed: failure.promise,
    });
    for (const connection of connections) connection.destroy();
    return result;
  } finally {
    pool.close();
  }
}
