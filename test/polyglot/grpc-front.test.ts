import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { languages } from "./support/languages.ts";
import { runTool } from "./support/run-tool.ts";
import { goExample, goTool } from "./support/tools.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
let grpcurl: string;
beforeAll(async () => {
  grpcurl = await goTool("grpcurl");
  world = await startWorld();
  await world.backend(await languages.go(), ["--instance", "front"]).line("registered");
}, 600_000);
afterAll(() => world.close());

const curl = (...args: string[]): Promise<string> => runTool(grpcurl, ["-plaintext", ...args]);
const token = (): string[] => ["-H", `authorization: Bearer ${world.tokens.accessToken}`];

describe("gRPC in front", () => {
  it("lists and describes what clients may call, registered services too", async () => {
    const services = (await curl(world.grpc, "list")).trim().split("\n");
    expect(services).toContain("example.dice.v1.DiceService");
    expect(services).toContain("chappe.business.v1.AuthService");
    expect(services).not.toContain("chappe.mesh.v1.RegistryService");
    expect(await curl(world.grpc, "describe", "example.dice.v1.RollRequest")).toContain("uint32 sides = 1");
  });

  it("answers grpcurl for a registered service", async () => {
    const answer = await curl(...token(), "-d", "{}", world.grpc, "example.dice.v1.DiceService/WhoAmI");
    expect(JSON.parse(answer)).toMatchObject({
      userId: String(world.tokens.userId),
      kind: "user",
      language: "go",
      instanceId: "front",
    });
  });

  it("answers grpcurl for Chappe's own services, public ones without a token", async () => {
    const body = JSON.stringify({ name: "curly", password: "correct horse" });
    const signedUp = await curl("-d", body, world.grpc, "chappe.business.v1.AuthService/Register");
    expect(JSON.parse(signedUp).tokens.accessToken).toMatch(/^ey/);
    const names = '{"names":["gambler"]}';
    const users = await curl(...token(), "-d", names, world.grpc, "chappe.business.v1.UserService/GetUsers");
    expect(users).toContain(String(world.tokens.userId));
  });

  it("refuses a user's method without a token, with a bad one, and internal methods", async () => {
    const roll = ["-d", '{"sides":6,"count":1}', world.grpc, "example.dice.v1.DiceService/Roll"];
    await expect(curl(...roll)).rejects.toThrow("Unauthenticated");
    await expect(curl("-H", "authorization: Bearer ey.bad.one", ...roll)).rejects.toThrow("Unauthenticated");
    await expect(curl(...token(), "-d", "{}", world.grpc, "example.dice.v1.DiceService/Load")).rejects.toThrow(
      "Unimplemented",
    );
  });

  it("keeps the caller's deadline", async () => {
    const sleep = ["-max-time", "0.3", "-d", '{"durationMs":30000}', world.grpc, "example.dice.v1.DiceService/Sleep"];
    await expect(curl(...sleep)).rejects.toThrow("DeadlineExceeded");
  });

  it("answers a client that grpc-go generated", async () => {
    const client = await goExample("client");
    const answer = await runTool(client, ["-server", world.grpc, "-token", world.tokens.accessToken]);
    expect(answer.trim()).toBe(`user=${world.tokens.userId} kind=user language=go rolled=3`);
  });
});
