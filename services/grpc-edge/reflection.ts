import { type DescFile, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { AuthLevel } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import type { LiveContracts } from "@chappe/mesh/rpc/live-contracts.ts";
import { type Server, type ServerDuplexStream, status } from "@grpc/grpc-js";
import {
  decodeReflectionRequest,
  encodeReflectionAnswer,
  type ReflectionAnswer,
  type ReflectionRequest,
} from "./reflection-wire.ts";

type Stream = ServerDuplexStream<ReflectionRequest, Buffer>;

/** The second is what older clients ask for; both have the same messages. */
const versions = ["v1", "v1alpha"];

function withImports(files: Iterable<DescFile>): Map<string, DescFile> {
  const found = new Map<string, DescFile>();
  const visit = (file: DescFile): void => {
    const name = `${file.name}.proto`;
    if (found.has(name)) return;
    found.set(name, file);
    for (const imported of file.dependencies) visit(imported);
  };
  for (const file of files) visit(file);
  return found;
}

function messageNames(message: DescMessage): string[] {
  return [
    message.typeName,
    ...message.nestedEnums.map(({ typeName }) => typeName),
    ...message.nestedMessages.flatMap(messageNames),
  ];
}

function symbolsOf(file: DescFile): string[] {
  const services = file.services.flatMap((service) => [
    service.typeName,
    ...service.methods.map(({ name }) => `${service.typeName}.${name}`),
  ]);
  const types = [...file.enums, ...file.extensions].map(({ typeName }) => typeName);
  return [...services, ...types, ...file.messages.flatMap(messageNames)];
}

/** What reflection knows of the contracts at one time. */
function createIndex(contracts: LiveContracts) {
  const open = contracts.methods.filter(({ auth }) => auth !== AuthLevel.INTERNAL).map(({ method }) => method.parent);
  const services = [...new Set(open)];
  const files = withImports(services.map(({ file }) => file));
  const bySymbol = new Map([...files.values()].flatMap((file) => symbolsOf(file).map((name) => [name, file] as const)));
  const encoded = (file: DescFile): ReflectionAnswer => ({
    kind: "files",
    files: [...withImports([file]).values()].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto)),
  });
  return (request: ReflectionRequest): ReflectionAnswer => {
    if (request.kind === "services")
      return { kind: "services", names: services.map(({ typeName }) => typeName).sort() };
    const file = request.kind === "file" ? files.get(request.name) : bySymbol.get(request.name);
    if (file !== undefined) return encoded(file);
    return { kind: "error", code: status.NOT_FOUND, message: `${request.name} is not known here` };
  };
}

/** Serves gRPC server reflection of what the contracts open to clients, services added later among it. */
export function addReflection(server: Server, contracts: LiveContracts): void {
  let index: ReturnType<typeof createIndex> | undefined;
  contracts.onChanged(() => {
    index = undefined;
  });
  const answer = (request: ReflectionRequest): Buffer => {
    index ??= createIndex(contracts);
    return encodeReflectionAnswer(request, index(request));
  };
  for (const version of versions)
    server.register<ReflectionRequest, Buffer>(
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      (stream: Stream) => {
        stream.on("data", (request: ReflectionRequest) => {
          // One request at a time: who does not read the answers is not read either.
          if (!stream.write(answer(request))) {
            stream.pause();
            stream.once("drain", () => stream.resume());
          }
        });
        stream.on("end", () => stream.end());
        stream.on("error", () => undefined);
      },
      (bytes) => bytes,
      (bytes) => decodeReflectionRequest(bytes),
      "bidi",
    );
}
