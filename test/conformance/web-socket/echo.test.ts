import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contentCases } from "./content-cases.ts";
import { type EchoAcceptor, startEchoAcceptor } from "./echo-acceptor.ts";
import { type EchoCase, goodbye } from "./echo-case.ts";
import { framingCases } from "./framing-cases.ts";
import { opcodes, RawWebSocket, upgradeRequest } from "./raw-web-socket.ts";

let acceptor: EchoAcceptor;
beforeAll(async () => {
  acceptor = await startEchoAcceptor();
});
afterAll(() => acceptor.close());

/** Autobahn's server cases that are about the protocol, ported: performance (9.x times) and compression (12, 13) are not. */
describe.each([...framingCases, ...contentCases])("$name (RFC 6455, $section)", (one: EchoCase) => {
  it("is answered so", async () => {
    const client = await RawWebSocket.open(acceptor.port);
    const { send, pieceBytes, answers = [], closes = 1000 } = one;
    await client.send(Buffer.concat(send), pieceBytes);
    const talk = () => client.frames.filter(({ opcode }) => opcode !== opcodes.close);
    const closesItself = send.some((frame) => (frame[0]! & 0x0f) === opcodes.close);
    if (closes === 1000 && !closesItself) {
      await client.until(() => talk().length >= answers.length);
      await client.send(goodbye);
    }
    expect(await client.closeCode()).toBe(closes);
    expect(talk()).toEqual(answers);
    expect(client.frames.filter(({ opcode }) => opcode === opcodes.close)).toHaveLength(1);
    client.close();
  });
});

describe("the opening handshake", () => {
  it("is accepted with the key of RFC 6455, section 1.3, and never compresses (section 9.1)", async () => {
    const offer = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" };
    const client = await RawWebSocket.open(acceptor.port, upgradeRequest(offer));
    expect(client.head).toMatch(/^HTTP\/1\.1 101 /);
    expect(client.head).toContain("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    expect(client.head.toLowerCase()).not.toContain("sec-websocket-extensions");
    client.close();
  });

  it.each([
    ["version 12", { "Sec-WebSocket-Version": "12" }, 400, "4.4"],
    ["no version", { "Sec-WebSocket-Version": "" }, 400, "4.4"],
    ["no key", { "Sec-WebSocket-Key": "" }, 400, "4.2.1"],
    ["a key that is too short", { "Sec-WebSocket-Key": "AAAA" }, 400, "4.2.1"],
    ["another protocol to upgrade to", { Upgrade: "h2c" }, 400, "4.2.1"],
    ["a page of a stranger", { Origin: "https://evil.example" }, 403, "10.2"],
  ])("is refused with %s", async (_name, changes, status, _section) => {
    const client = await RawWebSocket.open(acceptor.port, upgradeRequest(changes as Record<string, string>));
    expect(client.head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    await client.closeCode();
  });

  it("names the version that works (section 4.4)", async () => {
    const client = await RawWebSocket.open(acceptor.port, upgradeRequest({ "Sec-WebSocket-Version": "12" }));
    expect(client.head).toMatch(/Sec-WebSocket-Version: .*13/);
  });
});
