import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, type ServerCredentials } from "@grpc/grpc-js";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ChappeError } from "../errors/chappe-error.ts";
import { createLinkDialer, type LinkDialer } from "../link/create-link-dialer.ts";
import { type LinkServer, serveLinks } from "../link/create-link-server.ts";
import { linkChannelOptions } from "../link/link-wire.ts";
import { type Call, noBytes } from "../rpc/call.ts";
import { createContracts } from "../rpc/contracts.ts";
import { internalIdentity } from "../rpc/identity.ts";
import { TimerWheel } from "../timers/timer-wheel.ts";
import { createAuthority, issueCertificate, type KeyPair } from "./certificate-authority.ts";
import { type MeshTls, openMeshTls } from "./open-mesh-tls.ts";
import { createRoleGuard } from "./role-guard.ts";

const secret = Buffer.from("0123456789abcdef0123456789abcdef");
const hourMs = 3_600_000;
const refreshMs = 50;
/** A link that is not refused opens in a small part of this. */
const refusedAfterMs = 500;
const openTimeoutMs = 10_000;
const authSvid = 20;
const pushSvid = 40;
const loginSvid = 3;
const contracts = createContracts();
const cmdOf = (svid: number, name: string): number =>
  contracts.methods.find((one) => one.svid === svid && one.method.name === name)!.cmd;
const callOf = (svid: number, cmd: number, fields: Partial<Call> = {}): Call => ({
  svid,
  cmd,
  payload: noBytes,
  identity: internalIdentity,
  affinity: noBytes,
  deadlineMs: Date.now() + 5_000,
  traceContext: noBytes,
  ...fields,
});
const someone = { kind: "user", userId: 5n, sessionId: 6n, deviceId: 7n } as const;

describe("TLS of a mesh", () => {
  const wheel = new TimerWheel();
  let authority: KeyPair;
  let foreign: KeyPair;
  let directory: string;
  let server: Server;
  let serving: LinkServer;
  const dialers: LinkDialer[] = [];
  let port = 0;

  async function put(name: string, roles: readonly string[], lifetimeMs = hourMs, by = authority) {
    const pair = await issueCertificate(by, { trustDomain: "chappe", roles, hosts: [], lifetimeMs });
    const [certFile, keyFile, caFile] = ["crt", "key", "ca"].map((end) => join(directory, `${name}.${end}`));
    writeFileSync(certFile!, pair.certificate);
    writeFileSync(keyFile!, pair.key);
    writeFileSync(caFile!, authority.certificate);
    return { certFile: certFile!, keyFile: keyFile!, caFile: caFile! };
  }
  const tlsOf = async (...of: Parameters<typeof put>): Promise<MeshTls> =>
    openMeshTls(await put(...of), "chappe", refreshMs);

  async function serve(tls: MeshTls): Promise<void> {
    const guard = createRoleGuard(contracts);
    server = new Server(linkChannelOptions);
    const router = { call: async ({ payload }: Call) => payload };
    const self = { instanceId: "route-1", svids: [] };
    serving = serveLinks({
      server,
      self,
      secret,
      handler: router,
      admit(caller, { svids }) {
        const roles = tls.rolesOf(caller);
        guard.checkServes(roles, svids);
        return guard.guard(roles, router);
      },
      onLink: () => undefined,
      wheel,
    });
    const credentials: ServerCredentials = tls.serverCredentials;
    port = await new Promise((resolve, reject) => {
      server.bindAsync(`127.0.0.1:0`, credentials, (error, at) => (error === null ? resolve(at) : reject(error)));
    });
  }

  function dial(tls: MeshTls | undefined, svids: readonly number[] = [], role = "route"): LinkDialer {
    const credentials = tls === undefined ? {} : { credentials: tls.channelCredentials(role) };
    const self = { instanceId: "caller-1", svids };
    const handler = { call: async () => noBytes };
    const dialer = createLinkDialer({ self, secret, handler, wheel, ...credentials });
    dialer.setAddresses([`127.0.0.1:${port}`]);
    dialers.push(dialer);
    return dialer;
  }
  const opens = (dialer: LinkDialer): Promise<void> => dialer.whenOpen({ timeoutMs: openTimeoutMs });
  const isRefused = (dialer: LinkDialer): Promise<boolean> =>
    dialer.whenOpen({ timeoutMs: refusedAfterMs }).then(
      () => false,
      () => true,
    );
  const answer = async (dialer: LinkDialer, call: Call): Promise<string> => {
    await opens(dialer);
    return dialer.links[0]!.call(call).then(
      () => "answered",
      (error: unknown) => ChappeError.from(error).row.name,
    );
  };

  beforeAll(async () => {
    authority = await createAuthority({ lifetimeMs: hourMs });
    foreign = await createAuthority({ lifetimeMs: hourMs });
  });
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "chappe-tls-"));
    await serve(await tlsOf("route", ["route"]));
    await opens(dial(await tlsOf("control", ["online"])));
  });
  afterEach(() => {
    for (const dialer of dialers.splice(0)) dialer.close();
    serving.close();
    server.forceShutdown();
    rmSync(directory, { recursive: true });
  });

  it("links processes that show certificates of one authority, and serves what their roles serve", async () => {
    await opens(dial(await tlsOf("push", ["push"]), [pushSvid]));
    await opens(dial(await tlsOf("both", ["login", "business"]), [loginSvid, authSvid]));
  });

  it("refuses the secret without a certificate, a foreign authority, one that is over, another trust domain", async () => {
    expect(await isRefused(dial(undefined))).toBe(true);
    expect(await isRefused(dial(await tlsOf("foreign", ["push"], hourMs, foreign), [pushSvid]))).toBe(true);
    expect(await isRefused(dial(await tlsOf("over", ["push"], -60_000), [pushSvid]))).toBe(true);
    const elsewhere = await put("elsewhere", ["push"]);
    const pair = await issueCertificate(authority, {
      trustDomain: "other",
      roles: ["push"],
      hosts: [],
      lifetimeMs: hourMs,
    });
    writeFileSync(elsewhere.certFile, pair.certificate);
    writeFileSync(elsewhere.keyFile, pair.key);
    expect(await isRefused(dial(openMeshTls(elsewhere, "chappe", refreshMs), [pushSvid]))).toBe(true);
  });

  it("refuses a process that wants to serve what another role serves", async () => {
    const push = await tlsOf("push", ["push"]);
    expect(await isRefused(dial(push, [authSvid]))).toBe(true);
    expect(await isRefused(dial(push, [pushSvid, 1_001]))).toBe(true);
  });

  it("refuses a listener that is no Route", async () => {
    expect(await isRefused(dial(await tlsOf("push", ["push"]), [pushSvid], "business"))).toBe(true);
  });

  it("lets a role call what the contract opens to it, and nothing else", async () => {
    const publish = callOf(pushSvid, cmdOf(pushSvid, "Publish"));
    const kick = callOf(loginSvid, cmdOf(loginSvid, "Kick"));
    const signOut = callOf(authSvid, cmdOf(authSvid, "SignOut"), { identity: someone });
    const business = dial(await tlsOf("business", ["business"]), [authSvid]);
    expect(await answer(business, publish)).toBe("answered");
    expect(await answer(business, kick)).toBe("PERMISSION_DENIED");
    expect(await answer(business, signOut)).toBe("PERMISSION_DENIED");
    const login = dial(await tlsOf("login", ["login"]), [loginSvid]);
    expect(await answer(login, signOut)).toBe("answered");
    expect(await answer(login, publish)).toBe("PERMISSION_DENIED");
    expect(await answer(dial(await tlsOf("push", ["push"]), [pushSvid]), kick)).toBe("answered");
  });

  it("takes new files without a restart", async () => {
    const files = await put("late", ["online"]);
    const tls = openMeshTls(files, "chappe", refreshMs);
    expect(await isRefused(dial(tls, [pushSvid]))).toBe(true);
    const renewed = await issueCertificate(authority, {
      trustDomain: "chappe",
      roles: ["push"],
      hosts: [],
      lifetimeMs: hourMs,
    });
    writeFileSync(files.keyFile, renewed.key);
    writeFileSync(files.certFile, renewed.certificate);
    await expect.poll(() => isRefused(dial(tls, [pushSvid])), { timeout: openTimeoutMs }).toBe(false);
  });

  it("names the setting whose file is not good", async () => {
    const files = await put("push", ["push"]);
    const other = await put("other", ["push"]);
    expect(() => openMeshTls({ ...files, keyFile: other.keyFile }, "chappe")).toThrow("tlsCertFile");
    expect(() => openMeshTls({ ...files, keyFile: join(directory, "none") }, "chappe")).toThrow("tlsKeyFile");
    writeFileSync(files.caFile, "no certificate");
    expect(() => openMeshTls(files, "chappe")).toThrow("tlsCaFile");
  });
});
