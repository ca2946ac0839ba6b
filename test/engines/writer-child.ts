/**
 * One MsgWriter on Kafka and MySQL, which says what happens to it, a line of JSON each: `node writer-child.ts settings`.
 * After the line "stop" on its input it stops (SIGSTOP) in front of its next commit.
 */
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { createMsgWriter } from "@chappe/services/msg-writer/msg-writer.ts";
import type { WriterChildSettings, WriterEvent } from "./writer-process.ts";

const settings = JSON.parse(process.argv[2]!) as WriterChildSettings;
const say = (event: Omit<WriterEvent, "atMs">): void => {
  process.stdout.write(`${JSON.stringify({ atMs: Date.now(), ...event })}\n`);
};
let stopsAtCommit = false;
createInterface({ input: process.stdin }).on("line", () => {
  stopsAtCommit = true;
});

/** The same object with some methods replaced. */
const withMethods = <T extends object>(target: T, methods: Partial<T>): T =>
  new Proxy(target, {
    get(_, name) {
      const own = methods[name as keyof T];
      const value: unknown = own ?? Reflect.get(target, name, target);
      return typeof value === "function" && own === undefined ? value.bind(target) : value;
    },
  });

function watchStore(store: MessageStore): MessageStore {
  return withMethods(store, {
    async claim(partitions) {
      const claims = await store.claim(partitions);
      say({ event: "claimed", partitions: [...partitions] });
      return claims;
    },
    async commit(batch) {
      const partitions = batch.progress.map(({ partition }) => partition);
      const stops = stopsAtCommit;
      stopsAtCommit = false;
      if (stops) {
        process.kill(process.pid, "SIGSTOP");
        await pause(1);
      }
      try {
        await store.commit(batch);
        say({ event: "committed", partitions });
      } catch (error) {
        say({ event: "refused", partitions, error: ChappeError.from(error).row.name });
        throw error;
      }
    },
  });
}

function watchLog(log: Log): Log {
  return withMethods(log, {
    subscribe: (topic, group, consumer) =>
      log.subscribe(topic, group, {
        assigned(partitions) {
          say({ event: "assigned", partitions: [...partitions] });
          return consumer.assigned(partitions);
        },
        records: (batches) => consumer.records(batches),
        revoked(partitions) {
          say({ event: "revoked", partitions: [...partitions] });
          return consumer.revoked(partitions);
        },
      }),
  });
}

const { brokers, partitions, prefix, client, mysql } = settings;
const log = await createKafkaLog({ brokers, partitions, prefix, client });
const store = await createMysqlMessageStore(mysql);
await createMsgWriter({ log: watchLog(log), store: watchStore(store), logger: silentLogger });
