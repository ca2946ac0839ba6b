import { create, type DescMessage, type DescService, toBinary } from "@bufbuild/protobuf";
import { RegistryService } from "@chappe/gen/proto/chappe/mesh/v1/registry_service_pb.ts";
import { PushService } from "@chappe/gen/proto/chappe/push/v1/push_service_pb.ts";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { compileDice, type WhoAmI } from "./support/dice.ts";
import { languages } from "./support/languages.ts";
import { startWorld, type World } from "./support/world.ts";

const rolled = compileDice().file.messages.find(({ name }) => name === "DiceRolled") as DescMessage;
const headers = { authorization: "Bearer telegraph", "chappe-identity": "dev" };
const address = { svid: 1_000, cmd: 101 };

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const clientOf = <S extends DescService>(service: S) =>
  createClient(service, createGrpcTransport({ baseUrl: `http://${world.grpc}` }));
const eventOf = (sum: number): Uint8Array =>
  toBinary(rolled, create(rolled, { userId: world.tokens.userId, sum } as never));

it("reach every device of a user by PushService", async () => {
  const events = world.client.events(rolled)[Symbol.asyncIterator]();
  const first = events.next();
  await clientOf(PushService).publish({ userIds: [world.tokens.userId], ...address, payload: eventOf(7) }, { headers });
  expect((await first).value).toMatchObject({ sum: 7, userId: world.tokens.userId });
  await events.return?.();
});

it("reach the connection that a call came by, straight through Route", async () => {
  const backend = world.backend(await languages.go());
  await backend.line("registered");
  const { connection } = await world.call<WhoAmI & { connection: string }>("whoAmI", {});
  expect(connection).toMatch(/^login-\d+\/\d+$/);
  const events = world.client.events(rolled)[Symbol.asyncIterator]();
  const first = events.next();
  const registry = clientOf(RegistryService);
  expect(await registry.emit({ connection, ...address, payload: eventOf(9) }, { headers })).toMatchObject({
    gone: false,
  });
  expect((await first).value).toMatchObject({ sum: 9 });
  await events.return?.();
  for (const other of [`${connection}9`, "login-0/1"])
    expect(await registry.emit({ connection: other, ...address, payload: eventOf(1) }, { headers })).toMatchObject({
      gone: true,
    });
  await backend.stop();
}, 600_000);

it.each([
  ["a wrong secret", { ...headers, authorization: "Bearer wrong" }, address],
  ["no identity", {}, address],
  ["an event of Chappe's own", headers, { svid: 1, cmd: 102 }],
])("are refused with %s", async (_, metadata, at) => {
  const publish = clientOf(PushService).publish(
    { userIds: [world.tokens.userId], ...at, payload: eventOf(1) },
    { headers: metadata },
  );
  await expect(publish).rejects.toThrow(/permission_denied/);
  const emit = clientOf(RegistryService).emit(
    { connection: "login-1/1", ...at, payload: eventOf(1) },
    { headers: metadata },
  );
  await expect(emit).rejects.toThrow(/permission_denied/);
});
