import { createFileRegistry, type DescService, fromBinary, getOption } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { AuthLevel, affinity, auth, cmd, svid } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import type { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MethodContract } from "@chappe/mesh/rpc/contracts.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import { knownFiles } from "./known-files.ts";

/** A service as a registering server describes it. */
export interface ParsedContract {
  readonly service: DescService;
  readonly methods: readonly MethodContract[];
}

const wrong = (field: string, message: string): ChappeError => invalidArgument(field, "contract", message);

function decodeFiles(files: readonly Uint8Array[]): Map<string, FileDescriptorProto> {
  if (files.length > limits.maxRegistrationFiles) throw wrong("files", `are more than ${limits.maxRegistrationFiles}`);
  const bytes = files.reduce((sum, file) => sum + file.byteLength, 0);
  if (bytes > limits.maxRegistrationFileBytes)
    throw wrong("files", `have ${bytes} bytes, the limit is ${limits.maxRegistrationFileBytes}`);
  // Known ones last: their meaning is Chappe's, whatever the server brings under their name.
  const byName = new Map<string, FileDescriptorProto>();
  for (const [index, file] of files.entries()) {
    try {
      const proto = fromBinary(FileDescriptorProtoSchema, file);
      byName.set(proto.name, proto);
    } catch {
      throw wrong(`files[${index}]`, "is not an encoded FileDescriptorProto");
    }
  }
  for (const [name, proto] of knownFiles()) byName.set(name, proto);
  return byName;
}

/** The file and all that it imports, imports first. */
function inOrder(first: FileDescriptorProto, byName: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const visit = (file: FileDescriptorProto, above: readonly string[]): void => {
    if (above.includes(file.name)) throw wrong("files", `${file.name} imports itself`);
    if (ordered.has(file)) return;
    for (const name of file.dependency) {
      const imported = byName.get(name);
      if (imported === undefined) throw wrong("files", `${name}, imported by ${file.name}, is missing`);
      visit(imported, [...above, file.name]);
    }
    ordered.add(file);
  };
  visit(first, []);
  return [...ordered];
}

function readService(files: readonly Uint8Array[], typeName: string): DescService {
  const byName = decodeFiles(files);
  const home = [...byName.values()].find((file) =>
    file.service.some(({ name }) => (file.package === "" ? name : `${file.package}.${name}`) === typeName),
  );
  if (home === undefined) throw wrong("service", `${typeName} is in none of the files`);
  const ordered = inOrder(home, byName);
  try {
    const registry = createFileRegistry({ $typeName: "google.protobuf.FileDescriptorSet", file: ordered });
    return registry.getService(typeName)!;
  } catch (error) {
    throw wrong("files", `do not fit together: ${error instanceof Error ? error.message : "unknown reason"}`);
  }
}

function readMethods(service: DescService, svidNumber: number): MethodContract[] {
  const names = new Map<number, string>();
  return service.methods.map((method) => {
    const name = `${service.typeName}.${method.name}`;
    const number = getOption(method, cmd);
    if (number < 1 || number > 0xffff) throw wrong("files", `${name}: option cmd is missing or out of range`);
    const other = names.get(number);
    if (other !== undefined) throw wrong("files", `${name}: cmd ${number} is also that of ${other}`);
    names.set(number, name);
    if (method.methodKind !== "unary") throw wrong("files", `${name}: only unary methods can be routed`);
    const level = getOption(method, auth);
    return {
      svid: svidNumber,
      cmd: number,
      method,
      auth: level === AuthLevel.UNSPECIFIED ? AuthLevel.USER : level,
      affinity: getOption(method, affinity),
      callers: [],
    };
  });
}

/**
 * Reads the service that a server registers for an SVID. INVALID_ARGUMENT names the field at fault: descriptors that
 * are malformed, incomplete or over their bound, an SVID that is missing or another, a cmd that is missing or double.
 */
export function parseContract(files: readonly Uint8Array[], typeName: string, svidNumber: number): ParsedContract {
  const service = readService(files, typeName);
  const declared = getOption(service, svid);
  if (declared === 0) throw wrong("files", `${typeName}: option svid is missing`);
  if (declared !== svidNumber) throw wrong("svid", `is ${svidNumber}, the contract of ${typeName} says ${declared}`);
  const methods = readMethods(service, svidNumber);
  if (methods.length === 0) throw wrong("files", `${typeName} has no method`);
  return { service, methods };
}
