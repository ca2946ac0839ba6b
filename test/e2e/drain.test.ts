import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { toChappeError } from "@chappe/mesh/rpc/connect-errors.ts";
import { connect, register } from "@chappe/sdk/src/index.ts";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalMesh, startLocalMesh } from "../support/local-mesh.ts";

const drainMs = 3_000;
const sendEveryMs = 10;

let mesh: LocalMesh;
beforeAll(async () => {
  mesh = await startLocalMesh();
});
afterAll(() => mesh.close());

/** A balancer: each connection goes to the first port that takes it. */
async function startBalancer(ports: readonly number[]) {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    const next = ([port, ...others]: readonly number[]): void => {
      if (port === undefined) return void client.destroy();
      const upstream = connectTcp(port, "127.0.0.1");
      let connected = false;
      upstream.once("connect", () => {
        connected = true;
        client.pipe(upstream).pipe(client);
      });
      upstream.on("error", () => (connected ? client.destroy() : next(others)));
      upstream.on("close", () => connected && client.destroy());
      client.on("error", () => upstream.destroy());
      client.on("close", () => upstream.destroy());
    };
    next(ports);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

test("a Login that drains loses no send, no call and no message: clients move to another one", async () => {
  const first = await mesh.start("login", "login-1");
  const second = await mesh.start("login", "login-2");
  const balancer = await startBalancer([first.port!, second.port!]);
  const { url } = balancer;
  const accounts = await Promise.all(
    ["sender", "reader"].map((name) => register({ url, name, password: "correct horse" })),
  );
  const [sender, reader] = await Promise.all(accounts.map(({ accessToken: token }) => connect({ url, token })));
  const memberIds = [accounts[1]!.userId];
  const { group } = await createClient(GroupService, sender!.transport).createGroup({ title: "move", memberIds });
  const { conversationId } = group!;

  const shown: string[] = [];
  const reading = (async () => {
    for await (const message of reader!.messages())
      if (message.content?.kind.case === "text") shown.push(message.content.kind.value.text);
  })();
  const errors: string[] = [];
  const told = (error: unknown): void => void errors.push(toChappeError(error).row.name);
  let over = false;
  const sends: Promise<unknown>[] = [];
  const texts: string[] = [];
  const sending = (async () => {
    while (!over) {
      const text = `message ${texts.length}`;
      texts.push(text);
      sends.push(sender!.send(conversationId, { text }).sequenced.catch(told));
      await new Promise((resolve) => setTimeout(resolve, sendEveryMs));
    }
  })();
  const users = createClient(UserService, reader!.transport);
  const calling = (async () => {
    while (!over) await users.getUsers({ names: ["sender"] }).catch(told);
  })();

  await expect.poll(() => shown.length, { timeout: 30_000 }).toBeGreaterThan(50);
  await first.close(drainMs);
  const before = shown.length;
  await expect.poll(() => shown.length, { timeout: 30_000 }).toBeGreaterThan(before + 50);
  over = true;
  await Promise.all([sending, calling, ...sends]);
  await expect.poll(() => shown.length, { timeout: 30_000 }).toBe(texts.length);

  expect(errors).toEqual([]);
  expect(shown).toEqual(texts);
  await Promise.all([sender!.close(), reader!.close(), reading]);
  balancer.close();
});
