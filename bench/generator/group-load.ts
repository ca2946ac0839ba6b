import { createConnectionPool } from "../support/mesh-connection.ts";
import { addresses, packetKinds } from "../support/packets.ts";
import type { GroupLoad, TrafficResult } from "./load-config.ts";
import { openConnections } from "./open-connections.ts";
import { ReceiveCheck } from "./receive-check.ts";
import { runLanes } from "./run-lanes.ts";
import { SendLane } from "./send-lane.ts";
import { TrafficMeter } from "./traffic-meter.ts";

/** One sender and its audience; see GroupLoad. */
export async function runGroupLoad(config: GroupLoad): Promise<TrafficResult> {
  const { accounts, port, window, textBytes, headSeq } = config;
  const conversationId = Buffer.from(config.conversationId, "hex");
  const pool = createConnectionPool();
  const meter = new TrafficMeter();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});
  let lane: SendLane | undefined;
  try {
    const connections = await openConnections({
      pool,
      port,
      accounts,
      fail: failure.reject,
      onPacket: (index) => {
        if (index === 0)
          return (packet) => {
            if (packet.kind === packetKinds.response) lane!.onAck(packet.id, performance.now());
          };
        let nowMs = 0;
        const check = new ReceiveCheck(headSeq, meter, (counter) => lane!.onDelivered(counter, nowMs));
        return (packet, buffer) => {
          if (!packet.isPush(addresses.messageArrived)) return;
          nowMs = performance.now();
          try {
            check.take(packet, buffer);
          } catch (error) {
            failure.reject(error);
          }
          connections[index]!.acknowledge("", conversationId, check.seq, nowMs);
        };
      },
    });
    const receivers = connections.length - 1;
    lane = new SendLane({ connection: connections[0]!, conversationId, textBytes, window, receivers, meter });
    const run = { ...config, lanes: [lane], meter, connections: connections.length, failed: failure.promise };
    const result = await runLanes(run);
    for (const connection of connections) connection.destroy();
    return result;
  } finally {
    pool.close();
  }
}
