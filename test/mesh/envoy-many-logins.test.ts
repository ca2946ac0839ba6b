import { type EnvoyServer, startEnvoy } from "@chappe/mesh/dev-engines/start-envoy.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { talkOverEveryTransport } from "../e2e/talk-over-every-transport.ts";
import { type LocalMesh, startLocalMesh } from "../support/local-mesh.ts";

let mesh: LocalMesh;
let envoy: EnvoyServer;
beforeAll(async () => {
  mesh = await startLocalMesh({ CHAPPE_TRUSTED_PROXIES: "127.0.0.1" });
  const logins = [await mesh.start("login", "login-1"), await mesh.start("login", "login-2")].map(
    ({ port, listenerPorts }) => ({
      http: [`127.0.0.1:${port}`],
      grpc: `127.0.0.1:${listenerPorts!.grpc}`,
      tcp: [`127.0.0.1:${listenerPorts!.tcp}`],
    }),
  );
  envoy = await startEnvoy({ settings: { logins }, listeners: ["tcp"] });
}, 120_000);
afterAll(async () => {
  await envoy?.close();
  await mesh?.close();
});

it("sessions that are made of several requests meet in one of two Logins; members over every transport talk", async () => {
  const { port, tcpPort: tcp } = envoy.settings;
  const seesBoth = async (): Promise<string> =>
    envoy.admin("/stats?filter=^cluster\\.login_(http|grpc|tcp|listen)\\.membership_healthy$");
  await expect.poll(seesBoth, { timeout: 10_000 }).toMatch(/^(?:.*: 2\n){4}$/);
  await talkOverEveryTransport([{ url: `http://127.0.0.1:${port}`, port, listenerPorts: { tcp: tcp!, grpc: port } }]);
});
