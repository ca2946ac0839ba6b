import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type RegisterRequest,
  RegisterRequestSchema,
  type RegisterResponse,
  RegisterResponseSchema,
  type Registration,
  RegistryService,
} from "@chappe/gen/proto/chappe/mesh/v1/registry_service_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { errorToStatus } from "@chappe/mesh/rpc/grpc-status.ts";
import { bearerOf } from "@chappe/mesh/rpc/grpc-unary.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import type { Server, ServerDuplexStream } from "@grpc/grpc-js";

type Stream = ServerDuplexStream<RegisterRequest, RegisterResponse>;

/** What the stream needs of the registry. */
export interface LeaseHandler {
  onLease(lease: Lease): void;
  /** Registers the server; rejects with ChappeError. */
  register(
    lease: Lease,
    registration: Registration,
    secret: string,
  ): Promise<{ contractHash: string; openMethods: number }>;
}

/** An open stream of a registering server: from the first message to the end, for whatever reason. */
export class Lease {
  readonly #stream: Stream;
  readonly #handler: LeaseHandler;
  readonly #attached = Promise.withResolvers<void>();
  readonly #draining = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #registered = false;
  #over = false;
  #heardMs = performance.now();
  #timer: NodeJS.Timeout;

  constructor(stream: Stream, handler: LeaseHandler) {
    this.#stream = stream;
    this.#handler = handler;
    this.#attached.promise.catch(() => undefined);
    this.#timer = setTimeout(
      () => this.end(new ChappeError("DEADLINE_EXCEEDED", "No registration came in time.")),
      limits.registrationTimeoutMs,
    );
    stream.on("data", (request: RegisterRequest) => this.#onRequest(request));
    stream.on("end", () => this.end());
    stream.on("cancelled", () => this.#finish());
    stream.on("error", () => this.#finish());
  }

  /** The server is attached; rejects when that failed. */
  get attached(): Promise<void> {
    return this.#attached.promise;
  }
  /** The server wants no new calls. */
  get draining(): Promise<void> {
    return this.#draining.promise;
  }
  /** The stream is over. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  onAttached(): void {
    this.#attached.resolve();
  }

  onDrained(): void {
    this.#write({ case: "drained", value: { $typeName: "chappe.mesh.v1.RegistryDrained" } });
  }

  /** Ends the stream, with the status of the error when there is one. */
  end(error?: unknown): void {
    if (this.#over) return;
    if (error === undefined) this.#stream.end();
    else this.#stream.emit("error", errorToStatus(error));
    this.#attached.reject(error ?? new ChappeError("CANCELLED"));
    this.#finish();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#attached.reject(new ChappeError("CANCELLED"));
    this.#ended.resolve();
  }

  #onRequest({ event }: RegisterRequest): void {
    this.#heardMs = performance.now();
    if (this.#over) return;
    if (event.case === "registration" && !this.#registered) void this.#register(event.value);
    else if (!this.#registered) this.end(invalidArgument("event", "oneof", "the first one must be the registration"));
    else if (event.case === "drain") this.#draining.resolve();
    else if (event.case === "registration") this.end(invalidArgument("event", "oneof", "registers a second time"));
  }

  async #register(registration: Registration): Promise<void> {
    this.#registered = true;
    clearTimeout(this.#timer);
    try {
      const accepted = await this.#handler.register(this, registration, bearerOf(this.#stream.metadata) ?? "");
      this.#write({ case: "accepted", value: { $typeName: "chappe.mesh.v1.RegistryAccepted", ...accepted } });
      this.#ping();
    } catch (error) {
      this.end(error);
    }
  }

  #ping(): void {
    if (this.#over) return;
    if (performance.now() - this.#heardMs > limits.registrySilenceMs) {
      this.end(new ChappeError("DEADLINE_EXCEEDED", "The server has not answered pings."));
      return;
    }
    this.#write({ case: "ping", value: { $typeName: "chappe.mesh.v1.RegistryPing" } });
    this.#timer = setTimeout(() => this.#ping(), limits.registryPingMs);
  }

  #write(event: RegisterResponse["event"]): void {
    if (!this.#over) this.#stream.write(create(RegisterResponseSchema, { event }));
  }
}

/** Serves RegistryService on a gRPC server; each stream becomes a lease. */
export function addRegistryService(server: Server, handler: LeaseHandler): void {
  const { register } = RegistryService.method;
  const path = `/${RegistryService.typeName}/${register.name}`;
  server.register<RegisterRequest, RegisterResponse>(
    path,
    (stream: Stream) => handler.onLease(new Lease(stream, handler)),
    (response) => Buffer.from(toBinary(RegisterResponseSchema, response)),
    (bytes) => fromBinary(RegisterRequestSchema, bytes),
    "bidi",
  );
}
