import { createHash } from "node:crypto";
import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import type { MethodContract } from "@chappe/mesh/rpc/contracts.ts";

type Reached = Map<string, DescMessage | DescEnum>;

function typesOf(field: DescField): (DescMessage | DescEnum)[] {
  const types = [field.message, field.enum].filter((type) => type !== undefined);
  return types;
}

function reach(type: DescMessage | DescEnum, reached: Reached): void {
  const waiting: (DescMessage | DescEnum)[] = [type];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (reached.has(next.typeName)) continue;
    reached.set(next.typeName, next);
    if (next.kind === "message") for (const field of next.fields) waiting.push(...typesOf(field));
  }
}

function fieldLine(field: DescField): string {
  const key = field.fieldKind === "map" ? field.mapKey : "";
  const list = field.fieldKind === "list" ? field.listKind : field.fieldKind === "map" ? field.mapKind : "";
  const type = field.message?.typeName ?? field.enum?.typeName ?? field.scalar ?? "";
  const oneof = field.oneof?.name ?? "";
  return ["field", field.number, field.name, field.fieldKind, list, key, type, field.presence, oneof].join(" ");
}

function typeLines(type: DescMessage | DescEnum): string[] {
  const lines =
    type.kind === "enum"
      ? type.values.toSorted((a, b) => a.number - b.number).map((value) => `value ${value.number} ${value.name}`)
      : type.fields.toSorted((a, b) => a.number - b.number).map(fieldLine);
  return [`${type.kind} ${type.typeName}`, ...lines];
}

/**
 * Hash (SHA-256, hexadecimal) of what a contract means to those who call it: addresses, types, rights and idempotency
 * of its methods and every field that they reach. It is made from parsed descriptors in one order, so the language
 * that the descriptors come from, comments and the order in files make no difference.
 */
export function contractHash(methods: readonly MethodContract[]): string {
  const reached: Reached = new Map();
  const lines = methods
    .toSorted((a, b) => a.cmd - b.cmd)
    .map(({ svid, cmd, method, auth, affinity }) => {
      reach(method.input, reached);
      reach(method.output, reached);
      const { parent, name, input, output, idempotency } = method;
      return [
        "method",
        svid,
        cmd,
        parent.typeName,
        name,
        input.typeName,
        output.typeName,
        auth,
        idempotency,
        affinity,
      ].join(" ");
    });
  const types = [...reached.values()].toSorted((a, b) => (a.typeName < b.typeName ? -1 : 1));
  const text = [...lines, ...types.flatMap(typeLines)].join("\n");
  return createHash("sha256").update(text).digest("hex");
}
