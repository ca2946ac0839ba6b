import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "@chappe/bench/support/start-server.ts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { callJson, registerUser } from "../support/http-user.ts";
import { startTerminal, type TerminalProcess } from "../support/terminal-process.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

let server: TestServer;
const running: TerminalProcess[] = [];

const start = (name: string, ...more: string[]): TerminalProcess => {
  const terminal = startTerminal(["--as", name, "--url", server.url, "--password", "correct horse", ...more]);
  running.push(terminal);
  return terminal;
};
/** The lines that show a message, without their times. */
const messages = (terminal: TerminalProcess): string[] =>
  [...terminal.text().matchAll(/^\d\d:\d\d (.*)$/gm)].map((line) => line[1]!);

beforeAll(async () => {
  server = await startTestServer();
  for (const name of ["alice", "bob", "carol", "dan", "eve", "fay", "gus"]) await registerUser(server.url, name);
});
afterEach(() => {
  for (const terminal of running.splice(0)) terminal.kill();
});
afterAll(() => server.close());

describe("two terminals", () => {
  it("talk: messages with sender and time, and ticks up to read", async () => {
    const [alice, bob] = [start("alice"), start("bob")];
    await Promise.all([alice.shows(/connected to .* as alice/), bob.shows(/connected to .* as bob/)]);
    alice.type("/open bob", "hi bob");
    await bob.shows(/^\d\d:\d\d \[alice\] alice: hi bob$/m);
    await alice.shows(/^-- sent: hi bob\n(?:.*\n)*-- delivered: hi bob$/m);
    expect(alice.text()).not.toContain("-- read");
    bob.type("/list");
    await bob.shows(/^1\. alice \(1 unread\)$/m);
    bob.type("/open alice");
    await alice.shows(/^-- read: hi bob$/m);
    bob.type("hello alice");
    await alice.shows(/^\d\d:\d\d bob: hello alice$/m);
    await bob.shows(/^-- read: hello alice$/m);
    expect(messages(alice)).toEqual(["bob: hello alice"]);
    expect(await alice.end()).toBe(0);
    bob.type("/open alice", "are you there?");
    await bob.shows(/^-- sent: are you there\?$/m);
    await expect
      .poll(() => {
        bob.type("/list");
        return bob
          .text()
          .split("\n")
          .some((line) => line === "1. alice");
      })
      .toBe(true);
    bob.type("/quit");
    expect(await bob.end()).toBe(0);
  });

  it("make a group, add to it, remove from it, and read its history", async () => {
    const [carol, dan] = [start("carol"), start("dan")];
    // Who connects later finds the message among the unread ones instead of on the screen.
    await Promise.all([carol.shows(/connected/), dan.shows(/connected/)]);
    carol.type('/group "The Team" dan', "welcome", "/add eve", "/members", "/remove eve", "/history 3");
    await carol.shows(/\* carol removed eve$/m);
    expect(carol.text()).toContain("members: carol, dan, eve");
    await dan.shows(/^\d\d:\d\d \[The Team\] carol: welcome$/m);
    dan.type("/open the team", "/add gus");
    await dan.shows(/^! /m);
    expect(await dan.end()).toBe(1);
    expect(await carol.end()).toBe(0);
    expect(messages(carol).slice(-3)).toEqual(["me: welcome", "* carol added eve", "* carol removed eve"]);
  });

  it("cannot make each other's screens obey", async () => {
    const [alice, carol] = [start("alice"), start("carol")];
    await carol.shows(/connected/);
    alice.type("/open carol", "\u001b[2J\u001b]0;owned\u0007boo\u009b1m\u202e");
    await carol.shows(/alice: .*boo/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(carol.text() + alice.text()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    await alice.end();
  });

  it("go on when the server was away: what was written meanwhile arrives once, in order", async () => {
    const [eve, fay] = [start("eve"), start("fay")];
    await Promise.all([eve.shows(/connected/), fay.shows(/connected/)]);
    eve.type("/open fay", "one");
    await fay.shows(/eve: one/);
    const restarted = server.restart();
    await eve.shows(/the connection is lost/);
    eve.type("two", "three");
    await restarted;
    await eve.shows(/^-- delivered: three$/m);
    eve.type("four");
    await fay.shows(/eve: four/);
    expect(messages(fay)).toEqual(["one", "two", "three", "four"].map((text) => `[eve] eve: ${text}`));
    expect(eve.text().match(/connected to/g)).toHaveLength(2);
    expect(await eve.end()).toBe(0);
  });
});

describe("lines from a program", () => {
  it("are all with the server when the input has ended", async () => {
    const gus = start("gus");
    const texts = Array.from({ length: 1_200 }, (_, index) => `line ${index}`);
    gus.type("/open bob", ...texts);
    expect(await gus.end()).toBe(0);
    const bob = start("bob");
    bob.type("/open gus", "/history 200");
    expect(await bob.end()).toBe(0);
    expect(bob.text()).toContain("* gus: 1200 unread, the last 200 of them");
    expect(messages(bob).slice(-200)).toEqual(texts.slice(-200).map((text) => `gus: ${text}`));
  });

  it("end with an error when something was refused", async () => {
    for (const lines of [["no conversation is open"], ["/open nobody-here"], ["/nonsense"], ["/history 1000"]]) {
      const bob = start("bob");
      bob.type(...lines);
      expect(await bob.end()).toBe(1);
      expect(bob.text()).toMatch(/^! /m);
    }
  });
});

describe("a terminal that was off", () => {
  it("prints what came meanwhile, also in new conversations, when it keeps its state", async () => {
    const state = mkdtempSync(join(tmpdir(), "chappe-terminal-"));
    try {
      const first = start("fay", "--state", state);
      await first.shows(/connected/);
      expect(await first.end()).toBe(0);
      const gus = start("gus");
      gus.type("/open fay", "you were off", '/group "New" fay', "and this is new");
      expect(await gus.end()).toBe(0);
      const second = start("fay", "--state", state);
      await second.shows(/^\d\d:\d\d \[gus\] gus: you were off$/m);
      await second.shows(/^\d\d:\d\d \[New\] gus: and this is new$/m);
      const third = start("fay", "--state", state);
      expect(await third.end()).toBe(1);
      expect(third.errorText()).toMatch(/in use by another terminal/);
      expect(await second.end()).toBe(0);
      const last = start("fay", "--state", state);
      await last.shows(/connected/);
      expect(messages(last)).toEqual([]);
      await last.end();
    } finally {
      rmSync(state, { recursive: true, force: true });
    }
  });
});

describe("signing in", () => {
  it("says in one sentence what is wrong", async () => {
    const failures: [string[], RegExp][] = [
      [
        ["--as", "alice", "--url", server.url, "--password", "wrong horse"],
        /^chat: the name or the password is wrong\n$/,
      ],
      [["--as", "alice", "--url", "http://127.0.0.1:9"], /^chat: a password for alice is needed: .*\n$/],
      [["--as", "alice", "--url", "http://127.0.0.1:9", "--password", "x"], /^chat: http:\S+ cannot be reached.*\n$/],
      [["--as", "alice", "--url", server.url], /^chat: a password for alice is needed: .*\n$/],
    ];
    for (const [args, text] of failures) {
      const terminal = startTerminal(args);
      expect(await terminal.end()).toBe(1);
      expect(terminal.errorText()).toMatch(text);
      expect(terminal.text()).toBe("");
    }
  });

  it("needs no password for the demo accounts of a development server, and makes accounts", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "chappe-terminal-"));
    const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1" };
    const development = await startServer({ dataDir, env });
    try {
      const url = `http://127.0.0.1:${development.port}`;
      await callJson(url, "chappe.business.v1.AuthService/Register", { name: "alice", password: "telegraph" });
      const alice = startTerminal(["--as", "alice"], { CHAPPE_URL: url });
      await alice.shows(/connected/);
      expect(await alice.end()).toBe(0);
      const zoe = startTerminal(["--as", "zoe", "--register", "--url", url], { CHAPPE_PASSWORD: "long enough" });
      zoe.type("/open alice", "hi");
      expect(await zoe.end()).toBe(0);
      expect(zoe.text()).toMatch(/^-- sent: hi$/m);
    } finally {
      await development.close();
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});
