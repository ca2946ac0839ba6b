import { DeadLetterReason } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { MessageKind, SendOutcome } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { bodyDigest } from "@chappe/mesh/codec/body-digest.ts";
import { encodeLogRecord } from "@chappe/mesh/codec/log-record.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import { skipRecord } from "@chappe/services/msg-writer/skip-record.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  deadLetters,
  settledSends,
  textEntry,
  type WriterOnStore,
  withBadBodies,
  withBadEnvelope,
  writeToFreshStore,
} from "./poison-kit.ts";

/** A log for one test. */
export interface PoisonHarness {
  readonly log: Log;
  destroy(): Promise<void>;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const { USER, UNREADABLE } = MessageKind;

async function onFreshStore<T>(log: Log, use: (on: WriterOnStore) => Promise<T>): Promise<T> {
  const on = await writeToFreshStore(log);
  try {
    await on.writer.replayed;
    return await use(on);
  } finally {
    await on.close();
  }
}

/** Six messages of one conversation in two records; the second, third and fourth cannot be read, each for its reason. */
async function appendPoison(log: Log) {
  const bad = textEntry(1, "two");
  const wrongDigest = { ...textEntry(1, "three"), digest: 5n };
  const noContent = Uint8Array.of(0x0a, 0x7f, 0x01);
  const undecodable = { ...textEntry(1, "four"), body: noContent, digest: bodyDigest(noContent) };
  const entries = [textEntry(1, "one"), bad, wrongDigest, undecodable, textEntry(1, "five")];
  await log.append("messages", 0, withBadBodies(entries, 1));
  await log.append("messages", 0, encodeLogRecord([textEntry(1, "six")]));
  return { bad, undecodable };
}

/** What MsgWriter makes of records that are not what was written, on every log. */
export function describePoison(name: string, createHarness: () => Promise<PoisonHarness>): void {
  describe(`poison: ${name}`, () => {
    let harness: PoisonHarness;
    let log: Log;
    beforeEach(async () => {
      harness = await createHarness();
      log = harness.log;
    });
    afterEach(async () => {
      await log.close();
      await harness.destroy();
    });

    test("a body that cannot be read costs one seq, is kept aside, and its sender is told", async () => {
      const { undecodable } = await appendPoison(log);
      await onFreshStore(log, async ({ messages, writer }) => {
        const read = await messages(1);
        expect(read.map(({ seq }) => Number(seq))).toEqual([1, 2, 3, 4, 5, 6]);
        expect(read.map(({ kind }) => kind)).toEqual([USER, UNREADABLE, UNREADABLE, UNREADABLE, USER, USER]);
        const readable = read.filter(({ content }) => content?.kind.case === "text");
        expect(readable.map(({ seq }) => Number(seq))).toEqual([1, 5, 6]);
        expect(writer.stats().unreadable).toBe(3);
      });
      const { SEQUENCED, UNREADABLE: LOST } = SendOutcome;
      expect((await settledSends(log)).map(({ outcome }) => outcome)).toEqual([
        ...[SEQUENCED, LOST, LOST, LOST],
        ...[SEQUENCED, SEQUENCED],
      ]);
      const letters = await deadLetters(log);
      const { CHECKSUM, DIGEST, UNDECODABLE } = DeadLetterReason;
      expect(letters.map(({ reason }) => reason)).toEqual([CHECKSUM, DIGEST, UNDECODABLE]);
      expect(letters.map(({ offset, index, seq }) => [offset, index, seq])).toEqual([
        [0n, 1, 2n],
        [0n, 2, 3n],
        [0n, 3, 4n],
      ]);
      expect(hexOf(letters[2]!.entry!.clientMessageId)).toBe(hexOf(undecodable.clientMessageId));
      expect(hexOf(letters[2]!.found)).toBe(hexOf(undecodable.body));
    });

    test("a replay gives the same seqs and the same placeholders", async () => {
      await appendPoison(log);
      const first = await onFreshStore(log, ({ messages }) => messages(1));
      const again = await onFreshStore(log, ({ messages }) => messages(1));
      expect(again).toEqual(first);
    });

    test("a resend of what cannot be read is told so again, and gets no seq", async () => {
      const { bad } = await appendPoison(log);
      await log.append("messages", 0, encodeLogRecord([bad]));
      const read = await onFreshStore(log, ({ messages }) => messages(1));
      expect(read).toHaveLength(6);
      expect((await settledSends(log)).at(-1)).toMatchObject({ seq: 2n, outcome: SendOutcome.UNREADABLE });
    });

    test("a damaged envelope stops its partition and no other, until an operator has it skipped", async () => {
      await log.append("messages", 1, encodeLogRecord([textEntry(1, "before")]));
      await log.append("messages", 1, withBadEnvelope([textEntry(1, "lost")]));
      await log.append("messages", 1, encodeLogRecord([textEntry(1, "behind")]));
      await log.append("messages", 2, encodeLogRecord([textEntry(2, "elsewhere")]));
      await onFreshStore(log, async (on) => {
        expect(on.writer.stats().stopped).toEqual([{ partition: 1, offset: 1 }]);
        expect(await on.messages(2)).toHaveLength(1);
        expect(await on.messages(1)).toHaveLength(1);
        expect((await on.store.progress([1])).get(1)!.nextOffset).toBe(1);
        await on.writer.close();
        const options = { log, store: on.store };
        const other = skipRecord({ ...options, place: { partition: 1, offset: 0 } });
        await expect(other).rejects.toMatchObject({ row: { name: "INVALID_ARGUMENT" } });
        const sound = skipRecord({ ...options, place: { partition: 2, offset: 0 } });
        await expect(sound).rejects.toMatchObject({ row: { name: "INVALID_ARGUMENT" } });
        await skipRecord({ ...options, place: { partition: 1, offset: 1 } });
        const next = await on.startWriter();
        await next.replayed;
        expect(next.stats().stopped).toEqual([]);
        await next.close();
        expect((await on.messages(1)).map(({ seq }) => Number(seq))).toEqual([1, 2]);
      });
      const [letter] = await deadLetters(log);
      expect(letter).toMatchObject({ partition: 1, offset: 1n, reason: DeadLetterReason.ENVELOPE });
    });
  });
}
