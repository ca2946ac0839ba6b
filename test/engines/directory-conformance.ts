import type { Directory, DirectoryEntry } from "@chappe/mesh/ports/directory.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** An engine under test. */
export interface DirectoryHarness {
  readonly directory: Directory;
  /** Settles when changes made before have reached watchers. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

const entry = (id: string, role = "login", address = `10.0.0.1:${id}`): DirectoryEntry => ({ role, id, address });

/** What every Directory engine must do. */
export function describeDirectory(name: string, factory: () => Promise<DirectoryHarness>): void {
  describe(`${name}: Directory`, () => {
    let harness: DirectoryHarness;
    let directory: Directory;

    beforeEach(async () => {
      harness = await factory();
      directory = harness.directory;
    });
    afterEach(() => harness.close());

    test("lists a role in order of id", async () => {
      await directory.register(entry("b"));
      await directory.register(entry("a"));
      await directory.register(entry("c", "svid:20"));
      expect(await directory.list("login")).toEqual([entry("a"), entry("b")]);
      expect(await directory.list("svid:20")).toEqual([entry("c", "svid:20")]);
      expect(await directory.list("route")).toEqual([]);
    });

    test("a removal takes the entry at once, twice does no harm", async () => {
      const remove = await directory.register(entry("a"));
      await directory.register(entry("b"));
      await remove();
      await remove();
      expect(await directory.list("login")).toEqual([entry("b")]);
    });

    test("an id registered again is replaced, and the first removal leaves the second", async () => {
      const removeFirst = await directory.register(entry("a", "login", "old:1"));
      await directory.register(entry("a", "login", "new:1"));
      await removeFirst();
      expect(await directory.list("login")).toEqual([entry("a", "login", "new:1")]);
    });

    test("a watcher gets the list at once and after each change of its role", async () => {
      await directory.register(entry("a"));
      await harness.settled();
      const lists: string[][] = [];
      const leave = directory.watch("login", (entries) => void lists.push(entries.map((e) => e.id)));
      await harness.settled();
      const remove = await directory.register(entry("b"));
      await harness.settled();
      await directory.register(entry("x", "route"));
      await remove();
      await harness.settled();
      expect(lists).toEqual([["a"], ["a", "b"], ["a"]]);
      leave();
      await directory.register(entry("c"));
      await harness.settled();
      expect(lists).toHaveLength(3);
    });

    test("a watcher of a role without entries starts with an empty list", async () => {
      const lists: number[] = [];
      directory.watch("nobody", (entries) => void lists.push(entries.length));
      await harness.settled();
      expect(lists).toEqual([0]);
    });
  });
}
