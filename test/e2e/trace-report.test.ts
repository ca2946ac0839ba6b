import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import type { TraceReport } from "@chappe/mesh/telemetry/trace-report.ts";
import { findMessage } from "@chappe/services/all/find-message.ts";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openDevice } from "../support/chat-device.ts";
import { directId, type HttpUser, registerMany } from "../support/http-user.ts";
import { type LocalMesh, startLocalMesh } from "../support/local-mesh.ts";

const hexOf = (base64: string): string => Buffer.from(base64, "base64").toString("hex");
const main = fileURLToPath(new URL("../../services/main.ts", import.meta.url));

describe("where is my message, asked of the ops port of one process", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "chappe-where-"));
  let server: ServerProcess;
  let users: HttpUser[];

  beforeAll(async () => {
    const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_OPS_PORT: "0" };
    server = await startServer({ dataDir, env: { ...env, CHAPPE_AUTH_ATTEMPT_BURST: "100000" } });
    users = await registerMany(`http://127.0.0.1:${server.port}`, "u", 4);
  });
  afterAll(async () => {
    await server.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  const ask = async (id: string, conversationId: string, more: readonly string[] = ["--json"]): Promise<string> => {
    const args = [
      main,
      "trace",
      id,
      "--conversation",
      hexOf(conversationId),
      "--ops",
      `127.0.0.1:${server.ready.opsPort}`,
    ];
    return (await promisify(execFile)(process.execPath, [...args, ...more])).stdout;
  };
  const report = async (id: string, conversationId: string): Promise<TraceReport> =>
    JSON.parse(await ask(id, conversationId)) as TraceReport;

  test("on a device, then read", async () => {
    const url = `http://127.0.0.1:${server.port}`;
    const [ann, ben] = [users[0]!, users[1]!];
    const conversationId = directId(ann, ben);
    const sender = await openDevice(url, ann.token);
    const reader = await openDevice(url, ben.token, 7n);
    const id = await sender.send(conversationId);
    await reader.receive(id);
    const first = await vi.waitFor(async () => {
      const found = await report(id, conversationId);
      expect(found).toMatchObject({ state: "on device", seq: 1, reason: "" });
      return found;
    }, 10_000);
    expect(first.devices).toMatchObject([{ userId: ben.userId, deviceId: "7", state: "on device" }]);
    expect(first.hops.map(({ hop }) => hop)).toEqual(
      expect.arrayContaining(["Login in", "Route", "MsgProxy authorise", "log append", "MsgWriter sequence"]),
    );
    await ben.call("chappe.business.v1.SyncService/MarkRead", { conversationId, seq: "1" });
    await vi.waitFor(async () => expect((await report(id, conversationId)).state).toBe("read"), 10_000);
    expect(await ask(id, conversationId, [])).toMatch(/^message [0-9a-f]{32}: read, seq 1\n {2}\+ +0 ms {2}Login in /);
    sender.socket.close();
    reader.socket.close();
  });

  test("the level of the log changes while it runs", async () => {
    const url = `http://127.0.0.1:${server.ready.opsPort}/log-level?level=`;
    expect((await fetch(`${url}error`, { method: "POST" })).status).toBe(200);
    expect((await fetch(`${url}loud`, { method: "POST" })).status).toBe(400);
    expect((await fetch(`${url}info`)).status).toBe(404);
  });

  test("offline, refused, and never seen", async () => {
    const url = `http://127.0.0.1:${server.port}`;
    const [cas, dan] = [users[2]!, users[3]!];
    const sender = await openDevice(url, cas.token);
    const id = await sender.send(directId(cas, dan));
    await vi.waitFor(async () => expect((await report(id, directId(cas, dan))).state).toBe("offline"), 10_000);
    const refused = await sender.send(directId(users[0]!, dan)).then(
      () => "",
      ({ messageId }: { messageId: Buffer }) => messageId.toString("hex"),
    );
    expect(await report(refused, directId(users[0]!, dan))).toMatchObject({ state: "refused", reason: "NOT_A_MEMBER" });
    expect(await report("0".repeat(32), directId(cas, dan))).toMatchObject({ state: "unknown", hops: [] });
    sender.socket.close();
  });
});

describe("where is my message, asked of any process of a mesh", () => {
  let mesh: LocalMesh;
  let users: HttpUser[];

  beforeAll(async () => {
    mesh = await startLocalMesh();
  });
  afterAll(() => mesh.close());

  test("every role answers", async () => {
    const logins = [await mesh.start("login", "login-1"), await mesh.start("login", "login-2")];
    const urls = logins.map(({ port }) => `http://127.0.0.1:${port}`);
    users = await registerMany(urls[0]!, "u", 2);
    const [ann, ben] = [users[0]!, users[1]!];
    const sender = await openDevice(urls[0]!, ann.token);
    const reader = await openDevice(urls[1]!, ben.token);
    const id = await sender.send(directId(ann, ben));
    await reader.receive(id);
    const found = await vi.waitFor(async () => {
      const one = await findMessage(logins[0]!.telemetry, Buffer.from(id, "hex"), undefined);
      expect(one).toMatchObject({ state: "on device", seq: 1, silent: 0 });
      return one;
    }, 10_000);
    const instances = new Set(found.hops.map(({ instance }) => instance.replace(/^route-\d$/, "route")));
    expect(instances).toEqual(new Set(["login-1", "route", "core", "login-2"]));
    expect(found.hops.filter(({ hop }) => hop === "Route down")).toHaveLength(1);
    sender.socket.close();
    reader.socket.close();
  });
});
