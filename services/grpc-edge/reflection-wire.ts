import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";

/** What a client of grpc.reflection.v1 asks. */
export interface ReflectionRequest {
  /** The request as it came; it is given back. */
  readonly bytes: Uint8Array;
  readonly kind: "file" | "symbol" | "extension" | "extensionNumbers" | "services" | "unknown";
  /** Name of the file, symbol or extended message. */
  readonly name: string;
}

/** What it is told. */
export type ReflectionAnswer =
  | { readonly kind: "files"; readonly files: readonly Uint8Array[] }
  | { readonly kind: "services"; readonly names: readonly string[] }
  | { readonly kind: "error"; readonly code: number; readonly message: string };

const kinds: Readonly<Record<number, ReflectionRequest["kind"]>> = {
  3: "file",
  4: "symbol",
  5: "extension",
  6: "extensionNumbers",
  7: "services",
};

/** Decodes a ServerReflectionRequest. */
export function decodeReflectionRequest(bytes: Uint8Array): ReflectionRequest {
  const reader = new BinaryReader(bytes);
  let kind: ReflectionRequest["kind"] = "unknown";
  let name = "";
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const found = kinds[field];
    if (found === undefined || wireType !== 2) {
      reader.skip(wireType, field);
      continue;
    }
    kind = found;
    name = found === "extension" ? "" : reader.string();
    if (found === "extension") reader.skip(wireType, field);
  }
  return { bytes, kind, name };
}

/** Encodes a ServerReflectionResponse. */
export function encodeReflectionAnswer(request: ReflectionRequest, answer: ReflectionAnswer): Buffer {
  const response = new BinaryWriter().tag(2, 2).bytes(request.bytes);
  const inner = new BinaryWriter();
  if (answer.kind === "files") {
    for (const file of answer.files) inner.tag(1, 2).bytes(file);
    response.tag(4, 2).bytes(inner.finish());
  } else if (answer.kind === "services") {
    for (const name of answer.names) inner.tag(1, 2).bytes(new BinaryWriter().tag(1, 2).string(name).finish());
    response.tag(6, 2).bytes(inner.finish());
  } else {
    inner.tag(1, 0).int32(answer.code).tag(2, 2).string(answer.message);
    response.tag(7, 2).bytes(inner.finish());
  }
  return Buffer.from(response.finish());
}
