import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { ChappeError } from "../errors/chappe-error.ts";

/** Checks requests against the rules of their contract. */
export interface RequestValidator {
  /**
   * Throws INVALID_ARGUMENT with one violation per broken rule, INTERNAL when the rules themselves are broken. `within`
   * is the path of the message in its request, when it is only a part of one.
   */
  validate<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>, within?: string): void;
}

/** Makes the validator of a process. The rules of `schemas` are compiled now, others when first met. */
export function createRequestValidator(schemas: readonly DescMessage[] = []): RequestValidator {
  const validator = createValidator();
  for (const schema of schemas) {
    const result = validator.validate(schema, create(schema));
    if (result.kind === "error") throw result.error;
  }
  return {
    validate(schema, message, within) {
      const result = validator.validate(schema, message);
      if (result.kind === "valid") return;
      if (result.kind === "error") throw new ChappeError("INTERNAL", undefined, { cause: result.error });
      const violations = result.violations.map((violation) => ({
        field: within === undefined ? pathToString(violation.field) : `${within}.${pathToString(violation.field)}`,
        rule: violation.ruleId,
        message: violation.message,
      }));
      const fields = violations.map((violation) => `${violation.field}: ${violation.message}`).join("; ");
      throw new ChappeError("INVALID_ARGUMENT", fields, { violations });
    },
  };
}
