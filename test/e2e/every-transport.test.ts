import { afterEach, test } from "vitest";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { talkOverEveryTransport } from "./talk-over-every-transport.ts";

let server: TestServer | undefined;
afterEach(() => server?.close());

test("members over every transport talk in one group: each gets all messages, in order", async () => {
  server = await startTestServer(["--tcp-port", "0", "--grpc-port", "0", "--udp-port", "0"]);
  await talkOverEveryTransport([server]);
});
