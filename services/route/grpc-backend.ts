import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Backend, Call } from "@chappe/mesh/rpc/call.ts";
import type { MethodContract } from "@chappe/mesh/rpc/contracts.ts";
import { statusToError } from "@chappe/mesh/rpc/grpc-status.ts";
import { asBuffer } from "@chappe/mesh/rpc/grpc-unary.ts";
import type { Identity } from "@chappe/mesh/rpc/identity.ts";
import { Client, credentials, Metadata } from "@grpc/grpc-js";

/** What createGrpcBackend needs. */
export interface GrpcBackendOptions {
  readonly svid: number;
  /** "host:port" of a gRPC server in clear text. */
  readonly address: string;
  readonly methods: readonly MethodContract[];
}

/** A gRPC server as a backend. */
export interface GrpcBackend extends Backend {
  /** Closes the channel; calls in hand end with UNAVAILABLE. */
  close(): void;
}

const channelOptions = {
  "grpc.max_receive_message_length": limits.maxBackendMessageBytes,
  "grpc.max_send_message_length": limits.maxBackendMessageBytes,
  "grpc.initial_reconnect_backoff_ms": limits.backendReconnectMs,
  "grpc.max_reconnect_backoff_ms": limits.backendMaxReconnectMs,
  // Retries are Route's to decide: only it knows what is idempotent and how much of it is left.
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.enable_channelz": 0,
  "grpc.use_local_subchannel_pool": 1,
};

const decode = (bytes: Buffer): Uint8Array => bytes;

function callerMetadata(identity: Identity, traceContext: Uint8Array): Metadata {
  const metadata = new Metadata();
  metadata.set("chappe-kind", identity.kind);
  metadata.set("chappe-user-id", String(identity.userId));
  metadata.set("chappe-session-id", String(identity.sessionId));
  metadata.set("chappe-device-id", String(identity.deviceId));
  const { connection } = identity;
  if (connection !== undefined) metadata.set("chappe-connection", `${connection.loginId}/${connection.connectionId}`);
  const trace = Buffer.from(traceContext).toString("latin1");
  if (/^[0-9a-f-]{55}$/.test(trace)) metadata.set("traceparent", trace);
  return metadata;
}

/** Calls the methods of a gRPC server by their normal paths over one channel, bytes in and bytes out. */
export function createGrpcBackend({ svid, address, methods }: GrpcBackendOptions): GrpcBackend {
  const client = new Client(address, credentials.createInsecure(), channelOptions);
  const paths = new Map(methods.map(({ cmd, method }) => [cmd, `/${method.parent.typeName}/${method.name}`]));
  return {
    svid,
    handle(call: Call): Promise<Uint8Array> {
      const path = paths.get(call.cmd);
      if (path === undefined) return Promise.reject(new ChappeError("UNKNOWN_METHOD"));
      return new Promise((resolve, reject) => {
        const { payload, identity, traceContext, deadlineMs, signal } = call;
        const metadata = callerMetadata(identity, traceContext);
        const options = { deadline: deadlineMs };
        const stop = (): void => request.cancel();
        const request = client.makeUnaryRequest(path, asBuffer, decode, payload, metadata, options, (error, answer) => {
          signal?.removeEventListener("abort", stop);
          if (error === null) resolve(answer!);
          else reject(statusToError(error));
        });
        if (signal?.aborted === true) stop();
        else signal?.addEventListener("abort", stop, { once: true });
      });
    },
    close: () => client.close(),
  };
}
