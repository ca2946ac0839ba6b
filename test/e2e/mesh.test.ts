import type { RunningRoles } from "@chappe/services/all/start-roles.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { registerUser } from "../support/http-user.ts";
import { type LocalMesh, startLocalMesh } from "../support/local-mesh.ts";
import { openSession } from "../support/socket-client.ts";
import { type Door, talkOverEveryTransport } from "./talk-over-every-transport.ts";

const doorOf = ({ port = 0, listenerPorts = {} }: RunningRoles): Door => ({
  url: `http://127.0.0.1:${port}`,
  port,
  listenerPorts,
});

describe("a mesh of roles", () => {
  let mesh: LocalMesh;
  let doors: Door[];

  beforeAll(async () => {
    mesh = await startLocalMesh();
    doors = [doorOf(await mesh.start("login", "login-1")), doorOf(await mesh.start("login", "login-2"))];
  });
  afterAll(() => mesh.close());

  test("members over every transport of two Logins talk in one group: each gets all messages, in order", async () => {
    await talkOverEveryTransport(doors);
  });

  test("a session that is signed out ends at once at every Login", async () => {
    const user = await registerUser(doors[0]!.url, "leaver");
    const clients = [
      await openSession(doors[0]!.url, user.token, 1n),
      await openSession(doors[1]!.url, user.token, 2n),
    ];
    await user.call("chappe.business.v1.AuthService/SignOut", {});
    for (const client of clients) expect(await client.closed).toBe(4005);
    await expect(openSession(doors[1]!.url, user.token, 2n)).rejects.toThrow("SESSION_REVOKED");
  });
});
