import {
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
  ScalarType,
} from "@bufbuild/protobuf";
import { field as fieldRules } from "@chappe/gen/proto/buf/validate/validate_pb.ts";
import {
  AuthLevel,
  affinity,
  auth,
  callers,
  cmd,
  Delivery,
  event,
  served_by,
  svid,
} from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";

/** Fields without a rule, with the reason why that is safe. */
export type UnlimitedFields = Readonly<Record<string, string>>;

function serviceProblems(service: DescService): string[] {
  const own = getOption(service, svid) === 0 ? [`${service.typeName} has no SVID`] : [];
  const ofChappe = service.typeName.startsWith("chappe.");
  if (ofChappe && getOption(service, served_by) === "")
    own.push(`${service.typeName} does not say which role serves it`);
  return [...own, ...service.methods.flatMap(methodProblems)];
}

function methodProblems(method: DescMethod): string[] {
  const name = `${method.parent.typeName}.${method.name}`;
  const problems: string[] = [];
  if (getOption(method, cmd) === 0) problems.push(`${name} has no CMD`);
  if (getOption(method, auth) === AuthLevel.UNSPECIFIED) problems.push(`${name} does not say who may call it`);
  const isInternal = getOption(method, auth) === AuthLevel.INTERNAL;
  if (isInternal !== getOption(method, callers).length > 0)
    problems.push(`${name}: internal methods, and they alone, name the roles that may call them`);
  const chooser = getOption(method, affinity);
  if (chooser !== "" && chooser !== "@login" && !method.input.fields.some((field) => field.name === chooser)) {
    problems.push(`${name}: affinity names ${chooser}, which is no field of ${method.input.typeName}`);
  }
  return problems;
}

function eventProblems(message: DescMessage): string[] {
  if (!hasOption(message, event)) return [];
  const { svid: service, cmd: command, delivery } = getOption(message, event);
  const problems: string[] = [];
  if (service === 0 || command === 0) problems.push(`${message.typeName} has no address`);
  if (delivery === Delivery.UNSPECIFIED) problems.push(`${message.typeName} does not say its delivery`);
  return problems;
}

/** True for a field whose size the sender chooses. */
function growsWithoutLimit(field: DescField): boolean {
  if (field.fieldKind === "list" || field.fieldKind === "map") return true;
  return field.fieldKind === "scalar" && (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES);
}

function messageOf(field: DescField): DescMessage | undefined {
  if (field.fieldKind === "message") return field.message;
  return field.fieldKind === "list" && field.listKind === "message" ? field.message : undefined;
}

/** Fields of a request, and of the messages in it, that grow without a validation rule. */
function limitProblems(message: DescMessage, unlimited: UnlimitedFields, seen: Set<string>): string[] {
  if (seen.has(message.typeName) || message.typeName.startsWith("google.protobuf.")) return [];
  seen.add(message.typeName);
  return message.fields.flatMap((field) => {
    const name = `${message.typeName}.${field.name}`;
    const bare = growsWithoutLimit(field) && !hasOption(field, fieldRules) && !Object.hasOwn(unlimited, name);
    const inner = messageOf(field);
    return [...(bare ? [`${name} has no limit`] : []), ...(inner ? limitProblems(inner, unlimited, seen) : [])];
  });
}

/** Everything in which contracts break the rules of CONTRIBUTING.md. */
export function contractProblems(files: readonly DescFile[], unlimited: UnlimitedFields): string[] {
  const services = files.flatMap((file) => file.services);
  const seen = new Set<string>();
  return [
    ...services.flatMap(serviceProblems),
    ...files.flatMap((file) => file.messages).flatMap(eventProblems),
    ...services.flatMap((service) => service.methods).flatMap(({ input }) => limitProblems(input, unlimited, seen)),
  ];
}
