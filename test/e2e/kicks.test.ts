import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { closeCodes } from "@chappe/gen/errors.ts";
import { DeviceClass, KickedSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PushService } from "@chappe/gen/proto/chappe/push/v1/push_service_pb.ts";
import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { createMemoryPresence } from "@chappe/mesh/engines/memory-presence/memory-presence.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import { connect } from "@chappe/sdk/src/index.ts";
import { readConfig } from "@chappe/services/all/config.ts";
import { createServeOther } from "@chappe/services/all/serve-other.ts";
import { type RunningRoles, startRoles } from "@chappe/services/all/start-roles.ts";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerUser } from "../support/http-user.ts";
import { TransportClient } from "../support/transports/transport-client.ts";
import { webSocketWire } from "../support/transports/web-socket-wire.ts";

const { MOBILE, WEB } = DeviceClass;
const replaced = closeCodes.REPLACED.code;
const kicked = closeCodes.SESSION_REVOKED.code;
const secrets = { moderator: "moderator-secret-1", gambler: "gambler-secret-12" };

const folder = mkdtempSync(join(tmpdir(), "chappe-kicks-"));
const engines = { presence: createMemoryPresence(), directory: createMemoryDirectory() };
const running: RunningRoles[] = [];
let doors: RunningRoles[];
let routes: RunningRoles[];

function configOf(role: string, name: string) {
  const env = {
    CHAPPE_ARGON2_MEMORY_KIB: "8",
    CHAPPE_ARGON2_PASSES: "1",
    CHAPPE_AUTH_ATTEMPT_BURST: "100000",
    CHAPPE_INSTANCE_ID: name,
    CHAPPE_LINK_SECRET_FILE: join(folder, "link-secret"),
    CHAPPE_BACKENDS_FILE: join(folder, "backends.json"),
    CHAPPE_SINGLE_DEVICE_CLASSES: "MOBILE",
  };
  const args = ["--roles", role, "--port", "0", "--data", join(folder, "data"), "--json"];
  return readConfig(args, env);
}

async function start(role: string, name: string): Promise<RunningRoles> {
  const serveOther = createServeOther(join(folder, "no-pages"), { demoNames: [], demoPassword: "" });
  const onFailed = (error: Error): void => {
    throw error;
  };
  const roles = await startRoles({ config: configOf(role, name), engines, logger: silentLogger, serveOther, onFailed });
  running.unshift(roles);
  return roles;
}

beforeAll(async () => {
  writeFileSync(join(folder, "link-secret"), randomBytes(32));
  const identities = [
    { name: "moderator", secret: secrets.moderator, svids: [1_000], mayKick: true },
    { name: "gambler", secret: secrets.gambler, svids: [1_000] },
  ];
  writeFileSync(join(folder, "backends.json"), JSON.stringify(identities));
  routes = [await start("route", "route-1"), await start("route", "route-2")];
  for (const name of ["core", "online-1", "online-2"]) await start(name.split("-")[0]!, name);
  doors = [await start("login", "login-1"), await start("login", "login-2")];
}, 60_000);
afterAll(async () => {
  for (const roles of running) await roles.close();
  await engines.presence.close();
  await engines.directory.close();
  rmSync(folder, { recursive: true, force: true });
});

const urlOf = (at: number): string => `http://127.0.0.1:${doors[at]!.port}`;
const newUser = async (name: string) => {
  const { token, userId } = await registerUser(urlOf(0), name);
  return { token, userId: BigInt(userId) };
};
const open = (at: number): Promise<TransportClient> => TransportClient.open(webSocketWire(doors[at]!.port!));
async function openDevice(
  at: number,
  token: string,
  deviceId: bigint,
  deviceClass: DeviceClass = MOBILE,
): Promise<TransportClient> {
  const client = await open(at);
  await client.signIn({ token, deviceId, deviceClass });
  return client;
}
const kicksOf = (client: TransportClient) => client.pushes(102).map(({ payload }) => fromBinary(KickedSchema, payload));
const answers = async (client: TransportClient): Promise<boolean> => (await client.heartbeat()).payload.length > 0;
const entriesOf = async (userId: bigint): Promise<readonly PresenceEntry[]> =>
  (await engines.presence.lookup([userId]))[0]!;

describe("the device policy among Login processes", () => {
  it("tells the older device of a single class at another Login why, and closes it", async () => {
    const { token } = await newUser("mover");
    const web = await openDevice(0, token, 9n, WEB);
    const old = await openDevice(0, token, 1n);
    const newer = await openDevice(1, token, 2n);
    expect(await old.closed).toBe(replaced);
    expect(kicksOf(old)).toMatchObject([{ closeCode: replaced, reason: closeCodes.REPLACED.text }]);
    for (const kept of [web, newer]) expect(await answers(kept)).toBe(true);
    const newest = await openDevice(0, token, 1n);
    expect(await newer.closed).toBe(replaced);
    for (const kept of [web, newest]) expect(await answers(kept)).toBe(true);
  });

  it("closes the oldest connection of a device that has too many at all of them together", async () => {
    const { token, userId } = await newUser("tabs");
    const tabs: TransportClient[] = [];
    for (let i = 0; i <= limits.maxConnectionsPerDevice; i++) tabs.push(await openDevice(i % 2, token, 1n, WEB));
    const [oldest, ...others] = tabs;
    expect(await oldest!.closed).toBe(replaced);
    for (const kept of others) expect(await answers(kept)).toBe(true);
    await expect.poll(async () => (await entriesOf(userId)).length).toBe(limits.maxConnectionsPerDevice);
  });

  it("leaves exactly one of two that come at once", async () => {
    const pairs = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const { token } = await newUser(`twin-${i}`);
        const pair = [await open(0), await open(1)] as const;
        const hello = (at: 0 | 1) => pair[at].hello({ token, deviceId: BigInt(at + 1), deviceClass: MOBILE });
        return { pair, race: () => Promise.allSettled([hello(0), hello(1)]) };
      }),
    );
    await Promise.all(pairs.map(({ race }) => race()));
    const losers = await Promise.all(
      pairs.map(({ pair }) => Promise.race(pair.map((client) => client.closed.then(() => client)))),
    );
    for (const [i, { pair }] of pairs.entries()) {
      const survivor = pair.find((client) => client !== losers[i])!;
      expect(await losers[i]!.closed).toBe(replaced);
      expect(await answers(survivor)).toBe(true);
    }
    expect(pairs.flatMap(({ pair }) => pair).filter(({ isClosed }) => isClosed)).toHaveLength(pairs.length);
  }, 30_000);
});

describe("a kick by a backend", () => {
  const push = (at: number) =>
    createClient(PushService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${routes[at]!.linkPort}` }));
  const headersOf = (name: keyof typeof secrets) => ({
    headers: { authorization: `Bearer ${secrets[name]}`, "chappe-identity": name },
  });
  const moderator = headersOf("moderator");

  it("reaches every device of a user at every Login, with its reason", async () => {
    const { token, userId } = await newUser("spammer");
    const bystander = await openDevice(0, (await newUser("bystander")).token, 1n);
    const devices = [await openDevice(0, token, 1n, WEB), await openDevice(1, token, 2n, WEB)];
    expect(await push(0).kick({ userId, reason: "spam" }, moderator)).toMatchObject({ closed: 2 });
    for (const device of devices) {
      expect(await device.closed).toBe(kicked);
      expect(kicksOf(device)).toMatchObject([{ closeCode: kicked, reason: "spam" }]);
    }
    expect(await answers(bystander)).toBe(true);
    await expect.poll(() => entriesOf(userId)).toEqual([]);
    expect(await push(1).kick({ userId }, moderator)).toMatchObject({ closed: 0 });
  });

  it("reaches one device, or one connection, and no other", async () => {
    const { token, userId } = await newUser("owner");
    const [first, tab, other] = [
      await openDevice(0, token, 1n, WEB),
      await openDevice(1, token, 1n, WEB),
      await openDevice(1, token, 2n, WEB),
    ];
    const at = (await entriesOf(userId)).find(({ loginId, deviceId }) => loginId === "login-2" && deviceId === 1n)!;
    const connection = `${at.loginId}/${at.connectionId}`;
    expect(await push(0).kick({ connection }, moderator)).toMatchObject({ closed: 1 });
    expect(await tab.closed).toBe(kicked);
    for (const kept of [first, other]) expect(await answers(kept)).toBe(true);
    expect(await push(0).kick({ connection }, moderator)).toMatchObject({ closed: 0 });
    expect(await push(0).kick({ connection: "login-9/1" }, moderator)).toMatchObject({ closed: 0 });
    expect(await push(0).kick({ userId, deviceId: 2n }, moderator)).toMatchObject({ closed: 1 });
    expect(await other.closed).toBe(kicked);
    expect(await answers(first)).toBe(true);
  });

  it("ends the SDK's client with the reason, and it does not come back", async () => {
    const { token, userId } = await newUser("client");
    const client = await connect({ url: urlOf(1), token });
    const kicks = client.events(KickedSchema);
    const first = kicks.next();
    await push(0).kick({ userId, reason: "spam" }, moderator);
    expect((await first).value).toMatchObject({ closeCode: kicked, reason: "spam" });
    await expect
      .poll(() => client.status)
      .toMatchObject({
        state: "closed",
        reason: { name: "SESSION_REVOKED", message: "spam" },
      });
  });

  it("is refused to an identity that may not, and when it names nobody or two", async () => {
    const { token, userId } = await newUser("safe");
    const client = await openDevice(0, token, 1n);
    const wrong = { headers: { authorization: "Bearer wrong", "chappe-identity": "moderator" } };
    for (const header of [headersOf("gambler"), wrong, {}])
      await expect(push(0).kick({ userId }, header)).rejects.toThrow(/permission_denied/);
    for (const request of [{}, { userId, connection: "login-1/1" }, { connection: "login-1" }])
      await expect(push(0).kick(request, moderator)).rejects.toThrow(/invalid_argument/);
    expect(await answers(client)).toBe(true);
  });
});
