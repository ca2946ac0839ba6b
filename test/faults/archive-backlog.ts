import { create, toBinary } from "@bufbuild/protobuf";
import { type Account, callHttp, registerAccounts } from "@chappe/bench/support/accounts.ts";
import { MessageContentSchema, MessageKind } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { ByteWriter } from "@chappe/mesh/codec/byte-writer.ts";
import { appendTaggedMessage } from "@chappe/mesh/codec/message-events.ts";
import { createHbaseHistory } from "@chappe/mesh/engines/hbase-history/create-hbase-history.ts";
import { dayOf, dayPartitions, dayStartMs, partitionName } from "@chappe/mesh/engines/mysql/day-partitions.ts";
import { type Mysql, openMysql } from "@chappe/mesh/engines/mysql/open-mysql.ts";
import { Sql } from "@chappe/mesh/engines/mysql/sql.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import { directConversationId } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import type { MessageRun, MessageStore } from "@chappe/mesh/ports/message-store.ts";
import type { Stage } from "./stage.ts";

const days = 4;
const users = 10;
const runsPerDay = 25;
const runMessages = 8;
const pageMessages = 200;
const readersAtOnce = 8;
const emptyDaysTimeoutMs = 60_000;
const archiveTimeoutMs = 120_000;
const pollMs = 250;
const all = { maxMessages: 1_000_000, maxBytes: 1_000_000_000 };
const listMethod = "chappe.msg.v1.HistoryService/ListMessages";

/** A conversation of two with old messages. */
interface OldConversation {
  readonly id: Uint8Array;
  readonly reader: Account;
}

/** Where the old messages are at the end; ok when the history has each once, the store none, and readers get all. */
export interface BacklogReport {
  readonly ok: boolean;
  readonly seeded: number;
  readonly inHistory: number;
  readonly inStore: number;
  /** In both, or in one of them twice. */
  readonly twice: number;
  readonly missing: number;
  /** What a member got from MsgReader. */
  readonly read: number;
  readonly recopies: number;
}

const textOf = (seq: number): string => `old message ${seq}`;

function runAt(conversationId: Uint8Array, senderId: bigint, firstSeq: number, timeMs: number): MessageRun {
  const writer = new ByteWriter();
  for (let seq = firstSeq; seq < firstSeq + runMessages; seq++) {
    const content = toBinary(
      MessageContentSchema,
      create(MessageContentSchema, { kind: { case: "text", value: { text: textOf(seq) } } }),
    );
    const times = { sentTimeMs: timeMs + seq, loggedTimeMs: timeMs + seq };
    const clientMessageId = new Uint8Array(16).fill(seq % 251);
    appendTaggedMessage(writer, { seq, senderId, clientMessageId, ...times, kind: MessageKind.USER, content });
  }
  return { conversationId, firstSeq, count: runMessages, bytes: writer.finish() };
}

/** Old messages of people without a client, on days that an archiver may move. */
export class ArchiveBacklog {
  readonly #stage: Stage;
  readonly #conversations: readonly OldConversation[];

  private constructor(stage: Stage, conversations: readonly OldConversation[]) {
    this.#stage = stage;
    this.#conversations = conversations;
  }

  /** Ends the archiver of the stage, and stores them. */
  static async seed(stage: Stage): Promise<ArchiveBacklog> {
    const accounts = await registerAccounts({ port: stage.mesh.port(stage.logins[0]!), count: users });
    const conversations = accounts.flatMap((a, index) =>
      accounts.slice(index + 1).map((b) => {
        return { id: directConversationId(BigInt(a.userId), BigInt(b.userId)), reader: a };
      }),
    );
    const backlog = new ArchiveBacklog(stage, conversations);
    const mysql = openMysql({ ...stage.engines!.mariadb.login });
    const store = await createMysqlMessageStore(stage.engines!.mariadb.login);
    try {
      await backlog.#untilNoDayIsClosed(mysql, emptyDaysTimeoutMs);
      await stage.mesh.kill("archiver");
      await backlog.#openDays(mysql);
      await backlog.#fill(store);
    } finally {
      await store.close();
      await mysql.close();
    }
    return backlog;
  }

  get #head(): number {
    return days * runsPerDay * runMessages;
  }

  get #firstOpenDay(): number {
    return dayOf(Date.now()) - limits.minArchiveAfterDays;
  }

  async #untilNoDayIsClosed(mysql: Mysql, timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while ((await dayPartitions(mysql, "message_run")).some(({ endDay }) => endDay <= this.#firstOpenDay)) {
      if (performance.now() > deadlineMs) throw new Error("the archiver did not come to its end in time");
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  /** Archived days have no partition any more: it is made anew, out of the oldest that is there. */
  async #openDays(mysql: Mysql): Promise<void> {
    const [oldest] = await dayPartitions(mysql, "message_run");
    const ends = Array.from({ length: days }, (_, index) => this.#firstOpenDay - days + 1 + index);
    const parts = [...ends, oldest!.endDay].map(
      (end) => `PARTITION ${partitionName(end - 1)} VALUES LESS THAN (${end})`,
    );
    const statement = `ALTER TABLE message_run REORGANIZE PARTITION ${oldest!.name} INTO (${parts.join(", ")})`;
    await mysql.session((session) => session.run(new Sql(statement)));
  }

  async #fill(store: MessageStore): Promise<void> {
    let firstSeq = 1;
    for (let day = this.#firstOpenDay - days; day < this.#firstOpenDay; day++)
      for (let run = 0; run < runsPerDay; run++) {
        const runs = this.#conversations.map(({ id, reader }) =>
          runAt(id, BigInt(reader.userId), firstSeq, dayStartMs(day)),
        );
        await store.commit({ progress: [], runs, sends: [], members: [] });
        firstSeq += runMessages;
      }
  }

  /** Lets an archiver come to its end, and looks for every message in both tiers and through MsgReader. */
  async report(): Promise<BacklogReport> {
    const { mesh, engines } = this.#stage;
    const { archive, mariadb } = engines!;
    archive!.stops = [];
    await mesh.killAndRestart("archiver");
    const mysql = openMysql({ ...mariadb.login });
    const store = await createMysqlMessageStore(mariadb.login);
    const history = createHbaseHistory({ zookeeper: [archive!.hbase.zookeeper], table: archive!.table });
    try {
      await this.#untilNoDayIsClosed(mysql, archiveTimeoutMs);
      const [sum] = await mysql.rows(new Sql("SELECT COALESCE(SUM(recopies), 0) AS n FROM archive_day"));
      const tiers = await this.#countTiers(store, history);
      const read = await this.#readAll();
      const seeded = this.#conversations.length * this.#head;
      const { inHistory, inStore, twice, missing } = tiers;
      const ok = inHistory === seeded && read === seeded && inStore === 0 && twice === 0 && missing === 0;
      return { ok, seeded, ...tiers, read, recopies: Number(sum!.n) };
    } finally {
      for (const part of [history, store, mysql]) await part.close();
    }
  }

  async #countTiers(store: MessageStore, history: MessageHistory) {
    const counts = { inHistory: 0, inStore: 0, twice: 0, missing: 0 };
    for (const { id } of this.#conversations) {
      const [here, there] = await Promise.all([
        store.readRange(id, 1, this.#head, all),
        history.readRange(id, 1, this.#head, all),
      ]);
      const [kept, old] = [here, there].map((runs) =>
        runs.flatMap(({ firstSeq, count }) => Array.from({ length: count }, (_, index) => firstSeq + index)),
      ) as [number[], number[]];
      const different = new Set([...kept, ...old]).size;
      counts.inStore += kept.length;
      counts.inHistory += old.length;
      counts.twice += kept.length + old.length - different;
      counts.missing += this.#head - different;
    }
    return counts;
  }

  /** How many messages members read, each with the text it was stored with. */
  async #readAll(): Promise<number> {
    const left = [...this.#conversations];
    let read = 0;
    const lane = async (): Promise<void> => {
      for (let one = left.pop(); one !== undefined; one = left.pop()) {
        const count = await this.#readOne(one);
        read += count;
      }
    };
    await Promise.all(Array.from({ length: readersAtOnce }, lane));
    return read;
  }

  async #readOne({ id, reader }: OldConversation): Promise<number> {
    const conversationId = Buffer.from(id).toString("base64");
    const port = this.#stage.mesh.port(this.#stage.logins[0]!);
    let next = 1;
    while (next <= this.#head) {
      const body = { conversationId, fromSeq: String(next), limit: pageMessages };
      const page = (await callHttp(port, listMethod, body, { token: reader.token })) as {
        readonly messages?: readonly { readonly seq: string; readonly content: { readonly text?: { text: string } } }[];
      };
      const right = (page.messages ?? []).filter(
        ({ seq, content }, index) => Number(seq) === next + index && content.text?.text === textOf(next + index),
      ).length;
      next += right;
      if (right === 0 || right !== page.messages!.length) break;
    }
    return next - 1;
  }
}
