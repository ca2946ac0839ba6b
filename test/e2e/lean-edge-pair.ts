import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { EdgeService } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { createRequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { createEdgeImpl, type EdgeCall, edgeCallKey } from "@chappe/services/login/connect/edge-impl.ts";
import { createLeanEdge } from "@chappe/services/login/connect/lean-edge.ts";
import { createLibraryEdge } from "@chappe/services/login/connect/library-edge.ts";
import { createListenContext } from "@chappe/services/login/connect/listen-transport.ts";
import type { LoginOptions } from "@chappe/services/login/login-options.ts";
import { createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type LoginHarness, startLogin } from "./login-harness.ts";

/** A request to EdgeService. */
export interface EdgeRequest {
  readonly method?: string;
  /** Path, from the name of the method on. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The body, written piece by piece; chunked unless there is one piece. */
  readonly pieces: readonly Uint8Array[];
}

/** What came back: all of it but the date. */
export interface EdgeAnswer {
  readonly status: string;
  /** Names and values by turns, as they came. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** An answer that is on its way. */
export interface OpenAnswer {
  /** Status and headers are there, and so much of the body as has come. */
  readonly soFar: () => EdgeAnswer | undefined;
  /** All of it; `status` is "reset" when the connection broke before an answer. */
  readonly whole: Promise<EdgeAnswer>;
  /** The client stops reading. */
  pause(): void;
  resume(): void;
  destroy(): void;
}

/** Login served twice: as it is, and by the adapter of the RPC library alone. Both know the same connections. */
export interface EdgePair extends LoginHarness {
  /** Calls that were left to the library by the first. */
  readonly left: () => number;
  send(side: EdgeSide, request: EdgeRequest): OpenAnswer;
}

/** Which one serves. */
export type EdgeSide = "lean" | "adapter";

const reset: EdgeAnswer = { status: "reset", headers: [], body: Buffer.alloc(0) };

function headersOf({ rawHeaders }: IncomingMessage): string[] {
  const at = rawHeaders.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === "date");
  return rawHeaders.toSpliced(at, 2);
}

function sendTo(port: number, { method = "POST", path, headers, pieces }: EdgeRequest): OpenAnswer {
  const call = request({ port, method, path: `/${EdgeService.typeName}/${path}`, headers });
  let response: IncomingMessage | undefined;
  const chunks: Buffer[] = [];
  const soFar = (): EdgeAnswer | undefined =>
    response && {
      status: `${response.statusCode} ${response.statusMessage}`,
      headers: headersOf(response),
      body: Buffer.concat(chunks),
    };
  const whole = new Promise<EdgeAnswer>((resolve) => {
    call.on("error", () => resolve(soFar() ?? reset));
    call.on("response", (message) => {
      response = message;
      message.on("data", (chunk: Buffer) => chunks.push(chunk));
      message.on("error", () => undefined);
      message.on("close", () => resolve(soFar()!));
    });
  });
  if (pieces.length === 1) call.end(pieces[0]);
  else {
    for (const piece of pieces) call.write(piece);
    call.end();
  }
  return {
    soFar,
    whole,
    pause: () => response?.pause(),
    resume: () => response?.resume(),
    destroy: () => call.destroy(),
  };
}

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer((incoming, response) => {
    response.setHeader("x-content-type-options", "nosniff");
    answer(incoming, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Starts both, OpenUdp left out. */
export async function startEdgePair(options: Partial<LoginOptions> = {}): Promise<EdgePair> {
  const harness = await startLogin(options);
  const { login, verifier } = harness;
  const context = createListenContext(login);
  const impl = { context, verifier, validator: createRequestValidator() };
  const library = createLibraryEdge(impl);
  let left = 0;
  const counted = {
    serve(call: EdgeCall, body?: Uint8Array) {
      left++;
      library.serve(call, body);
    },
  };
  const lean = createLeanEdge({ context, library: counted });
  const calls = new WeakMap<object, EdgeCall>();
  const adapter = connectNodeAdapter({
    grpc: false,
    acceptCompression: [],
    readMaxBytes: login.limits.maxSendFrameBytes,
    routes: (router) => router.service(EdgeService, createEdgeImpl(impl)),
    contextValues: (incoming) => createContextValues().set(edgeCallKey, calls.get(incoming)),
  });
  const callOf = (incoming: IncomingMessage, response: ServerResponse): EdgeCall => ({
    request: incoming,
    response,
    client: "127.0.0.1",
  });
  const servers = {
    lean: await serve((incoming, response) => {
      const call = callOf(incoming, response);
      if (!lean.serve(call)) counted.serve(call);
    }),
    adapter: await serve((incoming, response) => {
      calls.set(incoming, callOf(incoming, response));
      adapter(incoming, response);
    }),
  };
  const closeLogin = harness.close;
  return Object.assign(harness, {
    left: () => left,
    send: (side: EdgeSide, one: EdgeRequest) => sendTo((servers[side].address() as AddressInfo).port, one),
    async close() {
      await closeLogin();
      for (const server of Object.values(servers)) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  });
}
