import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { connect, register, type Tokens } from "@chappe/sdk/src/index.ts";
import { createClient } from "@connectrpc/connect";

/** Well-behaved users of one group, who send to it all the time. */
export interface CalmClients {
  /** One of them. */
  readonly first: Tokens;
  /** Sends of all until `work` settles; answers its result and the 99th percentile from send to acknowledgement. */
  during<T>(work: Promise<T>): Promise<{ readonly result: T; readonly p99Ms: number }>;
  close(): Promise<void>;
}

const sendEveryMs = 40;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Registers and connects so many. */
export async function startCalmClients(url: string, count: number): Promise<CalmClients> {
  const names = Array.from({ length: count }, (_, i) => `calm${i}`);
  const accounts = await Promise.all(names.map((name) => register({ url, name, password: "correct horse" })));
  const clients = await Promise.all(accounts.map(({ accessToken }) => connect({ url, token: accessToken })));
  const memberIds = accounts.slice(1).map(({ userId }) => userId);
  const { group } = await createClient(GroupService, clients[0]!.transport).createGroup({ title: "calm", memberIds });
  return {
    first: accounts[0]!,
    async during(work) {
      const took: number[] = [];
      let over = false;
      const watched = work.finally(() => {
        over = true;
      });
      const lanes = clients.map(async (client) => {
        const sends: Promise<void>[] = [];
        await pause(Math.random() * sendEveryMs);
        do {
          const startMs = performance.now();
          const { durable } = client.send(group!.conversationId, { text: "still here" });
          sends.push(durable.then(() => void took.push(performance.now() - startMs)));
          await pause(sendEveryMs);
        } while (!over);
        await Promise.all(sends);
      });
      const [result] = await Promise.all([watched, ...lanes]);
      took.sort((a, b) => a - b);
      return { result, p99Ms: took[Math.floor(took.length * 0.99)]! };
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}
