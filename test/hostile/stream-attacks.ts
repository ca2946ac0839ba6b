import { generateKeyPairSync } from "node:crypto";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { createTokenSigner } from "@chappe/mesh/auth/token-signer.ts";
import { tcpWire } from "../support/transports/tcp-wire.ts";
import { TransportClient } from "../support/transports/transport-client.ts";
import { type Attack, count, inLanes, type Outcomes } from "./target.ts";

const unheardMs = 8_000;

const endOf = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.once("close", () => resolve());
  });

/** Requests whose headers never end, a byte at a time. */
export const slowloris: Attack = async ({ http }, untilMs) => {
  const outcomes: Outcomes = {};
  const drip = async (): Promise<void> => {
    const socket = connect(http, "127.0.0.1");
    let answer = "";
    socket.on("data", (data) => {
      answer += data.toString();
    });
    socket.write("GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ");
    const timer = setInterval(() => socket.write("a"), 200);
    const left = setTimeout(() => socket.destroy(), untilMs - performance.now());
    await endOf(socket);
    clearInterval(timer);
    clearTimeout(left);
    count(outcomes, answer.startsWith("HTTP/1.1 408") ? "408" : answer === "" ? "held" : answer.slice(9, 12));
  };
  await Promise.all(Array.from({ length: 300 }, drip));
  return outcomes;
};

/** Connections that never say Hello, as many as they come. */
export const silentFlood: Attack = async ({ tcp }, untilMs) => {
  const outcomes: Outcomes = {};
  return inLanes(1_500, untilMs, outcomes, async () => {
    const client = await TransportClient.open(tcpWire(tcp));
    // One that the system drops when the queue of a full port runs over never hears of it.
    const unheard = AbortSignal.timeout(unheardMs);
    const left = new Promise<string>((resolve) => unheard.addEventListener("abort", () => resolve("unheard")));
    const outcome = await Promise.race([client.closed.then((code) => `closed ${code}`), left]);
    client.close();
    return outcome;
  });
};

/** Hellos with a token that somebody else has signed. */
export const foreignTokens: Attack = async ({ tcp, userId }, untilMs) => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const key = { kid: "foreign", privateKey, publicKey } as Parameters<typeof createTokenSigner>[0]["key"];
  const { token } = await createTokenSigner({ key }).sign({ userId, sessionId: 1n, sessionVersion: 1 });
  return inLanes(16, untilMs, {}, async () => {
    const client = await TransportClient.open(tcpWire(tcp));
    const answer = await client.hello({ token });
    return `${client.errorOf(answer)}, closed ${await client.closed}`;
  });
};

const paths = [
  "/chappe.edge.v1.EdgeService/Connect",
  "/chappe.business.v1.AuthService/SignIn",
  "/grpc.health.v1.Health/Check",
  "/no/such",
];

/** HTTP/2 streams that are reset as soon as they are opened. */
export const rapidReset: Attack = ({ grpc, from }, untilMs) =>
  inLanes(4, untilMs, {}, async () => {
    const address = { host: "127.0.0.1", port: grpc, ...(from !== undefined && { localAddress: from }) };
    const session = connectHttp2(`http://127.0.0.1:${grpc}`, { createConnection: () => connect(address) });
    const ended = new Promise<string>((resolve) => {
      let code = -1;
      session.on("goaway", (errorCode) => {
        code = errorCode;
      });
      session.on("error", () => undefined);
      session.once("close", () => resolve(`closed ${code}`));
    });
    const headers = { ":method": "POST", "content-type": "application/grpc" };
    const burst = setInterval(() => {
      for (let i = 0; i < 100 && !session.destroyed && !session.closed; i++) {
        const stream = session.request({ ...headers, ":path": paths[i % paths.length] });
        stream.on("error", () => undefined);
        stream.close(constants.NGHTTP2_CANCEL);
      }
    }, 5);
    const enough = setTimeout(() => session.destroy(), 2_000);
    const outcome = await ended;
    clearInterval(burst);
    clearTimeout(enough);
    return outcome;
  });
