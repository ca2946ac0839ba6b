import { conversationKey } from "../../ids/conversation-id.ts";
import { uuidV7TimeMs } from "../../ids/uuid-v7.ts";
import { limits } from "../../limits.ts";
import type { SendKey, SendRow } from "../../ports/message-store.ts";
import { dayOf, dayStartMs, dropDaysBefore } from "../mysql/day-partitions.ts";
import type { Mysql, Row } from "../mysql/open-mysql.ts";
import { sql } from "../mysql/sql.ts";

const uuidBytes = 16;
const timeBytes = 6;

const keyOf = ({ clientMessageId, conversationId, senderId }: SendKey): string =>
  `${conversationKey(clientMessageId)}${conversationKey(conversationId)}${senderId}`;

const toSend = (row: Row): SendRow => ({
  clientMessageId: Uint8Array.from(row.client_message_id as Buffer),
  conversationId: Uint8Array.from(row.conversation as Buffer),
  senderId: BigInt(row.sender as string),
  seq: Number(row.seq),
  digest: BigInt(row.digest as string),
  loggedTimeMs: Number(row.logged_time_ms),
});

/** The smallest id of a time. */
function firstIdOf(timeMs: number): Uint8Array {
  const id = Buffer.alloc(uuidBytes);
  id.writeUIntBE(Math.max(0, Math.min(timeMs, 2 ** (8 * timeBytes) - 1)), 0, timeBytes);
  return id;
}

/** As MessageStore.findSends. The days of the ids name the partitions to look in. */
export async function findSends(mysql: Mysql, keys: readonly SendKey[]): Promise<readonly (SendRow | undefined)[]> {
  const found = new Map<string, SendRow>();
  for (let at = 0; at < keys.length; at += limits.maxMysqlRowsPerStatement) {
    const some = keys.slice(at, at + limits.maxMysqlRowsPerStatement);
    const ids = some.map(({ clientMessageId }) => clientMessageId);
    const days = [...new Set(ids.map((id) => dayOf(uuidV7TimeMs(id))))];
    const rows = await mysql.rows(sql`SELECT * FROM send WHERE day IN ${days} AND client_message_id IN ${ids}`);
    for (const send of rows.map(toSend)) found.set(keyOf(send), send);
  }
  return keys.map((key) => found.get(keyOf(key)));
}

/** As MessageStore.sendIdsSince. */
export async function* sendIdsSince(mysql: Mysql, idTimeMs: number): AsyncIterable<Uint8Array> {
  const day = dayOf(idTimeMs);
  const limit = limits.maxMysqlIdsPerRead;
  for (let after: Uint8Array | undefined; ; ) {
    const from = after === undefined ? sql`>= ${firstIdOf(idTimeMs)}` : sql`> ${after}`;
    const rows = await mysql.rows(sql`SELECT client_message_id AS id FROM send WHERE day >= ${day}
      AND client_message_id ${from} ORDER BY client_message_id LIMIT ${limit}`);
    if (rows.length > 0) yield Uint8Array.from(Buffer.concat(rows.map(({ id }) => id as Buffer)));
    if (rows.length < limit) return;
    after = rows.at(-1)!.id as Buffer;
  }
}

/** As MessageStore.expireSends: whole days are dropped, the rows of the last one deleted some at a time. */
export async function expireSends(mysql: Mysql, idTimeMs: number): Promise<number> {
  const day = dayOf(idTimeMs);
  let expired = await dropDaysBefore(mysql, "send", day);
  const lastDay = idTimeMs === dayStartMs(day) ? day - 1 : day;
  for (let deleted = -1; deleted !== 0; expired += deleted)
    deleted =
      await mysql.write(sql`DELETE FROM send WHERE day <= ${lastDay} AND client_message_id < ${firstIdOf(idTimeMs)}
      ORDER BY client_message_id LIMIT ${limits.maxMysqlRowsPerDelete}`);
  return expired;
}
