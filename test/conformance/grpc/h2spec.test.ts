import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { limits } from "@chappe/mesh/limits.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startWorld, type World } from "../../polyglot/support/world.ts";
import { allowedFailures, notApplicable } from "./allowed-failures.ts";
import { buildH2spec, failingAlways, type H2specReport, passingAlways, runH2spec } from "./run-h2spec.ts";

/** What Node's HTTP/2 does with nothing of ours on it: answers as the gRPC port does to a GET, by headers alone. */
function startBareServer(): Promise<Http2Server> {
  const server = createServer({ settings: { maxConcurrentStreams: limits.maxGrpcStreamsPerConnection } });
  server.on("sessionError", () => undefined);
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    stream.respond({ ":status": 415 }, { endStream: true });
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

const retries = 3;

let program: string;
let port: number;
let world: World;
let bare: Http2Server;
let ours: H2specReport;
let node: H2specReport;
beforeAll(async () => {
  program = await buildH2spec();
  [world, bare] = await Promise.all([startWorld(), startBareServer()]);
  port = Number(world.grpc.split(":")[1]);
  [ours, node] = await Promise.all([
    runH2spec(program, port),
    runH2spec(program, (bare.address() as AddressInfo).port),
  ]);
}, 600_000);
afterAll(async () => {
  bare.close();
  await world.close();
});

describe("h2spec", () => {
  it("runs every case that it has", () => {
    expect(ours.cases.length).toBeGreaterThanOrEqual(146);
    expect(ours.skipped).toEqual(notApplicable);
  });

  it("passes the gRPC port but for the cases of the allow list", async () => {
    const others = ours.failed.filter((name) => !(name in allowedFailures));
    expect(await failingAlways(program, port, others, retries)).toEqual([]);
  });

  it("still fails the gRPC port in all of these", async () => {
    const passed = Object.keys(allowedFailures).filter((name) => !ours.failed.includes(name));
    expect(await passingAlways(program, port, passed, retries)).toEqual([]);
  });

  it("fails Node's own HTTP/2 server in each of these: none is ours", async () => {
    const barePort = (bare.address() as AddressInfo).port;
    const passed = Object.keys(allowedFailures).filter((name) => !node.failed.includes(name));
    expect(await passingAlways(program, barePort, passed, retries)).toEqual([]);
  });
});
