import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { createContracts, type MethodContract, svidOf } from "./contracts.ts";

/** The addressed methods of one service. Throws when an address is missing or double. */
export function methodContractsOf(service: DescService): readonly MethodContract[] {
  const svid = svidOf(service);
  return createContracts([service.file]).methods.filter((contract) => contract.svid === svid);
}

/** The address of one method. Throws when it has none. */
export function methodContractOf(method: DescMethod): MethodContract {
  const found = methodContractsOf(method.parent).find((contract) => contract.method === method);
  if (found === undefined) throw new Error(`${method.parent.typeName}.${method.name} has no address`);
  return found;
}
