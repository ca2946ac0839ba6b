import { changeBodies } from "../../changes/change-bodies.ts";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type {
  BusinessStore,
  CursorRow,
  GroupRow,
  NewGroup,
  NewUser,
  OutboxRow,
  SessionRow,
  UserRow,
} from "../../ports/business-store.ts";
import { isDuplicate } from "../mysql/mysql-error.ts";
import type { MysqlOptions } from "../mysql/mysql-options.ts";
import { type Mysql, type MysqlSession, openMysql, type Row } from "../mysql/open-mysql.ts";
import { assertSchema } from "../mysql/schema-version.ts";
import { bytesLiteral, insertStatements, numberLiteral, type Sql, sql, toPackets } from "../mysql/sql.ts";

const toUser = (row: Row): UserRow => ({
  userId: BigInt(row.id as string),
  name: row.name as string,
  displayName: row.display_name as string,
  passwordHash: row.password_hash as string,
  sessionVersion: Number(row.session_version),
  profileVersion: Number(row.profile_version),
});
const toSession = (row: Row): SessionRow => ({
  sessionId: BigInt(row.id as string),
  userId: BigInt(row.user as string),
  refreshHash: Uint8Array.from(row.refresh_hash as Buffer),
  expiresTimeMs: Number(row.expires_time_ms),
});
const toGroup = (row: Row): GroupRow => ({
  conversationId: Uint8Array.from(row.id as Buffer),
  title: row.title as string,
  ownerId: BigInt(row.owner as string),
  createdTimeMs: Number(row.created_time_ms),
  version: Number(row.version),
});
const toCursor = (row: Row): CursorRow => ({
  conversationId: Uint8Array.from(row.conversation as Buffer),
  userId: BigInt(row.user as string),
  deliveredSeq: Number(row.delivered_seq),
  readSeq: Number(row.read_seq),
});

const cursorRow = ({ conversationId, userId, deliveredSeq, readSeq }: CursorRow): string =>
  `(${bytesLiteral(conversationId)},${userId},${numberLiteral(deliveredSeq)},${numberLiteral(readSeq)})`;
const cursorTail = `ON DUPLICATE KEY UPDATE delivered_seq = GREATEST(delivered_seq, VALUES(delivered_seq)),
  read_seq = GREATEST(read_seq, VALUES(read_seq))`;

async function addToOutbox(session: MysqlSession, body: Uint8Array): Promise<void> {
  await session.run(sql`INSERT INTO outbox (body) VALUES (${body})`);
}

class MysqlBusinessStore implements BusinessStore {
  readonly #mysql: Mysql;

  constructor(mysql: Mysql) {
    this.#mysql = mysql;
  }

  insertUser(row: NewUser): Promise<void> {
    const { userId, name, displayName, passwordHash, sessionVersion } = row;
    return this.#insert(
      sql`INSERT INTO user VALUES (${userId}, ${name}, ${displayName}, ${passwordHash}, ${sessionVersion}, 1)`,
      "name: is taken",
    );
  }

  usersById(userIds: readonly bigint[]): Promise<readonly UserRow[]> {
    return this.#each(userIds, (ids) => sql`SELECT * FROM user WHERE id IN ${ids}`, toUser);
  }

  usersByName(names: readonly string[]): Promise<readonly UserRow[]> {
    return this.#each(names, (some) => sql`SELECT * FROM user WHERE name IN ${some}`, toUser);
  }

  raiseSessionVersion(userId: bigint): Promise<number> {
    return this.#mysql.transaction(async (session) => {
      const raise = sql`UPDATE user SET session_version = session_version + 1 WHERE id = ${userId}`;
      const [raised] = await session.run(raise);
      if (raised !== 1) throw new ChappeError("NOT_FOUND", `there is no user ${userId}`);
      const [row] = await session.rows(sql`SELECT session_version FROM user WHERE id = ${userId}`);
      await session.run(sql`DELETE FROM session WHERE user = ${userId}`);
      const version = Number(row!.session_version);
      await addToOutbox(session, changeBodies.raisedSessions(userId, version));
      return version;
    });
  }

  insertSession({ sessionId, userId, refreshHash, expiresTimeMs }: SessionRow): Promise<void> {
    return this.#insert(
      sql`INSERT INTO session VALUES (${sessionId}, ${userId}, ${refreshHash}, ${expiresTimeMs})`,
      "the session id is taken",
    );
  }

  async session(sessionId: bigint): Promise<SessionRow | undefined> {
    const [row] = await this.#mysql.rows(sql`SELECT * FROM session WHERE id = ${sessionId}`);
    return row === undefined ? undefined : toSession(row);
  }

  async rotateSession(sessionId: bigint, expectedHash: Uint8Array, next: SessionRow): Promise<boolean> {
    const { refreshHash, expiresTimeMs } = next;
    const swap = sql`UPDATE session SET refresh_hash = ${refreshHash}, expires_time_ms = ${expiresTimeMs}
      WHERE id = ${sessionId} AND refresh_hash = ${expectedHash}`;
    try {
      return (await this.#mysql.write(swap)) === 1;
    } catch (error) {
      if (!ChappeError.is(error, "UNAVAILABLE")) throw error;
      // Nobody knows whether it took effect: once more, and if the new hash stands by then, it did.
      if ((await this.#mysql.write(swap)) === 1) return true;
      const stored = await this.session(sessionId);
      return stored !== undefined && Buffer.compare(stored.refreshHash, refreshHash) === 0;
    }
  }

  deleteSession(sessionId: bigint): Promise<void> {
    return this.#mysql.transaction(async (session) => {
      const [row] = await session.rows(sql`SELECT user FROM session WHERE id = ${sessionId} FOR UPDATE`);
      if (row === undefined) return;
      await session.run(sql`DELETE FROM session WHERE id = ${sessionId}`);
      await addToOutbox(session, changeBodies.endedSession(BigInt(row.user as string), sessionId));
    });
  }

  updateProfile(userId: bigint, { displayName }: Pick<UserRow, "displayName">): Promise<UserRow> {
    return this.#mysql.transaction(async (session) => {
      // The row stays locked until the commit, so rows of the outbox have ids in the order of the versions.
      const [row] = await session.rows(sql`SELECT * FROM user WHERE id = ${userId} FOR UPDATE`);
      if (row === undefined) throw new ChappeError("NOT_FOUND", `there is no user ${userId}`);
      const user = toUser(row);
      if (user.displayName === displayName) return user;
      const changed = { ...user, displayName, profileVersion: user.profileVersion + 1 };
      await session.run(sql`UPDATE user SET display_name = ${displayName}, profile_version = ${changed.profileVersion}
        WHERE id = ${userId}`);
      await addToOutbox(session, changeBodies.userProfile(changed));
      return changed;
    });
  }

  insertGroup({ conversationId, title, ownerId, createdTimeMs }: NewGroup): Promise<void> {
    return this.#insert(
      sql`INSERT INTO chat_group VALUES (${conversationId}, ${title}, ${ownerId}, ${createdTimeMs}, 1)`,
      "the group id is taken",
    );
  }

  updateGroup(conversationId: Uint8Array, { title }: Pick<GroupRow, "title">): Promise<GroupRow> {
    return this.#mysql.transaction(async (session) => {
      const [row] = await session.rows(sql`SELECT * FROM chat_group WHERE id = ${conversationId} FOR UPDATE`);
      if (row === undefined) throw new ChappeError("NOT_FOUND", "there is no such group");
      const group = toGroup(row);
      if (group.title === title) return group;
      const changed = { ...group, title, version: group.version + 1 };
      await session.run(sql`UPDATE chat_group SET title = ${title}, version = ${changed.version}
        WHERE id = ${conversationId}`);
      await addToOutbox(session, changeBodies.groupProfile(changed));
      return changed;
    });
  }

  groups(conversationIds: readonly Uint8Array[]): Promise<readonly GroupRow[]> {
    return this.#each(conversationIds, (ids) => sql`SELECT * FROM chat_group WHERE id IN ${ids}`, toGroup);
  }

  async raiseCursors(rows: readonly CursorRow[]): Promise<void> {
    // In one order for all writers, so that they do not wait for each other in a circle.
    const packets = toPackets(insertStatements("INSERT INTO `cursor`", rows.map(cursorRow).sort(), cursorTail));
    if (packets.length === 0) return;
    await this.#mysql.transaction(async (session) => {
      for (const packet of packets) await session.run(packet);
    });
  }

  async cursors(conversationId: Uint8Array, limit: number): Promise<readonly CursorRow[]> {
    const rows = await this.#mysql.rows(
      sql`SELECT * FROM \`cursor\` WHERE conversation = ${conversationId} ORDER BY user LIMIT ${limit}`,
    );
    return rows.map(toCursor);
  }

  cursorsOf(userId: bigint, conversationIds: readonly Uint8Array[]): Promise<readonly CursorRow[]> {
    const read = (ids: readonly Uint8Array[]) =>
      sql`SELECT * FROM \`cursor\` WHERE conversation IN ${ids} AND user = ${userId}`;
    return this.#each(conversationIds, read, toCursor);
  }

  async secret(name: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const stored = await this.#secret(name);
    if (stored !== undefined) return stored;
    // Who comes second leaves the first one's value.
    await this.#mysql.write(
      sql`INSERT INTO secret VALUES (${name}, ${await make()}) ON DUPLICATE KEY UPDATE value = value`,
    );
    return (await this.#secret(name))!;
  }

  async outbox(limit: number): Promise<readonly OutboxRow[]> {
    const rows = await this.#mysql.rows(sql`SELECT id, body FROM outbox ORDER BY id LIMIT ${limit}`);
    return rows.map(({ id, body }) => ({ id: BigInt(id as string), body: Uint8Array.from(body as Buffer) }));
  }

  async deleteOutbox(ids: readonly bigint[]): Promise<void> {
    for (let at = 0; at < ids.length; at += limits.maxMysqlRowsPerDelete) {
      const some = ids.slice(at, at + limits.maxMysqlRowsPerDelete);
      await this.#mysql.write(sql`DELETE FROM outbox WHERE id IN ${some}`);
    }
  }

  close(): Promise<void> {
    return this.#mysql.close();
  }

  async #secret(name: string): Promise<Uint8Array | undefined> {
    const [row] = await this.#mysql.rows(sql`SELECT value FROM secret WHERE name = ${name}`);
    return row === undefined ? undefined : Uint8Array.from(row.value as Buffer);
  }

  async #insert(statement: Sql, taken: string): Promise<void> {
    try {
      await this.#mysql.write(statement);
    } catch (error) {
      if (isDuplicate((error as Error).cause)) throw new ChappeError("ALREADY_EXISTS", taken);
      throw error;
    }
  }

  async #each<K, T>(
    keys: readonly K[],
    read: (some: readonly K[]) => Sql,
    toRow: (row: Row) => T,
  ): Promise<readonly T[]> {
    const found: T[] = [];
    for (let at = 0; at < keys.length; at += limits.maxMysqlRowsPerStatement) {
      const rows = await this.#mysql.rows(read(keys.slice(at, at + limits.maxMysqlRowsPerStatement)));
      for (const row of rows) found.push(toRow(row));
    }
    return found;
  }
}

/** Opens the business store of a migrated database; refuses like createMysqlMessageStore. */
export async function createMysqlBusinessStore(options: MysqlOptions): Promise<BusinessStore> {
  const mysql = openMysql(options);
  try {
    await assertSchema(mysql);
  } catch (error) {
    await mysql.close();
    throw error;
  }
  return new MysqlBusinessStore(mysql);
}
