import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EdgeService, ListeningSchema } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { PacketBatchSchema } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import type { OpenWire } from "./transport-client.ts";

/** The protocols that browsers can speak. */
export type WebProtocol = "connect" | "grpc-web";

const sendTimeoutMs = 5_000;

/** A client of EdgeService over HTTP/1.1. */
export function edgeClient(port: number, protocol: WebProtocol = "connect"): Client<typeof EdgeService> {
  const options = { baseUrl: `http://127.0.0.1:${port}`, httpVersion: "1.1" as const };
  return createClient(
    EdgeService,
    protocol === "connect" ? createConnectTransport(options) : createGrpcWebTransport(options),
  );
}

/** Frames down a Listen stream and up by SendFrame. */
export function connectWire(port: number, protocol: WebProtocol = "connect"): OpenWire {
  return async ({ onFrame, onClosed }) => {
    const client = edgeClient(port, protocol);
    const abort = new AbortController();
    const batches = client.listen({}, { signal: abort.signal })[Symbol.asyncIterator]();
    const first = await batches.next();
    if (first.done === true) throw new Error("the stream ended at once");
    const { connectionKey } = fromBinary(ListeningSchema, first.value.packets[0]!.payload);
    let resumed = Promise.resolve();
    let resume = (): void => undefined;
    const read = async (): Promise<void> => {
      for (;;) {
        await resumed;
        const { done, value } = await batches.next();
        if (done === true) return;
        onFrame(toBinary(PacketBatchSchema, create(PacketBatchSchema, value)));
      }
    };
    void read().then(
      () => onClosed(),
      () => onClosed(),
    );
    let sequence = 0n;
    let last: Promise<unknown> = Promise.resolve();
    return {
      sendFrame(frame) {
        const request = { connectionKey, sequence: ++sequence, frame: Uint8Array.from(frame) };
        const send = (): Promise<unknown> => client.sendFrame(request, { timeoutMs: sendTimeoutMs });
        // A frame that got no answer is sent again: the server knows by its sequence whether it came. One that is lost
        // for good is the end of the connection, because what follows it would be refused.
        last = last.then(() => (abort.signal.aborted ? undefined : send().catch(send))).catch(() => abort.abort());
      },
      pause() {
        resumed = new Promise((resolve) => {
          resume = resolve;
        });
      },
      resume: () => resume(),
      close: () => abort.abort(),
    };
  };
}
